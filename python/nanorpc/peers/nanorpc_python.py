"""NanoRPC with Python at both ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nanorpc
from nanorpc.peers import nanorpc_go
from nanorpc.peers.interface import Add, Halve
from nanorpc.peers.nanorpc_go import SERVICE

_FLOAT = "f4"

echo = nanorpc_go.echo  # a client does not know what the server is written in


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in one thread."""
    api: Any = import_module("nanorpc")
    with api.Server(_service(api), directory=str(directory), workers=1):
        yield


def _service(api: Any) -> Any:
    service = api.Service(SERVICE)

    @service.method(raw=True)  # type: ignore[untyped-decorator, unused-ignore]
    def echo(request: bytes) -> bytes:
        return request

    @service.method  # type: ignore[untyped-decorator, unused-ignore]
    def add(a: int, b: int) -> int:
        return a + b

    @service.method(raw=True)  # type: ignore[untyped-decorator, unused-ignore]
    def halve(request: Any, reply: Any) -> None:
        numbers = request.array(_FLOAT)
        np.multiply(numbers, np.float32(0.5), out=reply.array(numbers.shape, _FLOAT))

    return service


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client."""
    client: Any
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        add: Add = client.add
        yield add


@contextmanager
def array(directory: Path) -> Iterator[Halve]:
    """Connect a client that builds its requests where the server reads them, and reads replies where the server has written them."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield _Halve(client)


class _Halve:
    def __init__(self, client: Any) -> None:
        self._client = client

    def begin(self, count: int) -> NDArray[np.float32]:
        self._loan = self._client.loan("halve", 4 * count)
        self._request = self._loan.__enter__()
        numbers: NDArray[np.float32] = self._request.array(_FLOAT)
        return numbers

    def run(self) -> NDArray[np.float32]:
        self._reply = self._request.send()
        halves: NDArray[np.float32] = self._reply.array(_FLOAT)
        return halves

    def end(self) -> None:
        self._reply.release()
        self._loan.__exit__(None, None, None)
