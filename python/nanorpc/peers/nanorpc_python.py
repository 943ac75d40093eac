"""NanoRPC with Python at both ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import nanorpc
from nanorpc.peers import nanorpc_go
from nanorpc.peers.interface import Add, Arrays, Echo
from nanorpc.peers.nanorpc_go import SERVICE

FLOAT = "f4"
"""The dtype of all arrays."""

_LONG = 64 << 10
"""From this many bytes on a request is read where it lies, as methods for long payloads are to: one copy less is worth more than a view costs."""

batch = nanorpc_go.batch  # a client does not know what the server is written in


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in one thread."""
    with nanorpc.Server(_service(), directory=str(directory), workers=1):
        yield


def _service() -> nanorpc.Service:
    service = nanorpc.Service(SERVICE)

    @service.method(raw=True)
    def echo(request: bytes) -> bytes:
        return request

    @service.method(raw=True)
    def echo_long(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(request.view)

    @service.method
    def mirror(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        return numbers

    @service.method
    def add(a: int, b: int) -> int:
        return a + b

    @service.method(raw=True)
    def halve(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        numbers = request.array(FLOAT)
        np.multiply(numbers, np.float32(0.5), out=reply.array(numbers.shape, FLOAT))

    return service


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        call = client.call
        yield lambda request: call("echo" if len(request) < _LONG else "echo_long", request)


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client. Its array is copied for the call, and so is the server's result, which the client gets where it lies. See nanorpc_loan for
    how to save the first of these copies.
    """
    from nanorpc.peers.copied import Own

    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield Own(client.mirror)


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield client.add


@contextmanager
def array(directory: Path) -> Iterator[Arrays]:
    """Connect a client that builds its requests where the server reads them, and reads replies where the server has written them."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield InPlace(client, "halve")


class InPlace:
    """Arrays in memory that the client and the server share."""

    def __init__(self, client: nanorpc.Client, method: str) -> None:
        self._client = client
        self._method = method

    def begin(self, count: int) -> NDArray[np.float32]:
        """Return an array on memory for the request."""
        self._loan = self._client.loan(self._method, 4 * count)
        numbers: NDArray[np.float32] = self._loan.array(FLOAT)
        return numbers

    def run(self) -> NDArray[np.float32]:
        """Call, and return an array on the reply."""
        self._reply = self._loan.send()
        halves: NDArray[np.float32] = self._reply.array(FLOAT)
        return halves

    def end(self) -> None:
        """Give the reply's memory back."""
        self._reply.release()
