"""NanoRPC with Python at both ends and without copies: requests are built, and replies made, where the other end reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nanorpc
from nanorpc.peers.interface import Arrays, Stamps
from nanorpc.peers.nanorpc_go import SERVICE
from nanorpc.peers.nanorpc_python import InPlace

_END = 8
"""Bytes of a stamp at either end of a payload."""


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in one thread."""
    with nanorpc.Server(_service(), directory=str(directory), workers=1):
        yield


def _service() -> nanorpc.Service:
    service = nanorpc.Service(SERVICE)

    @service.method(raw=True)
    def stamp(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        length = len(request)
        view = reply.view(length)
        if length <= 2 * _END:
            view[:] = request.view
        else:
            view[:_END] = request.view[:_END]
            view[-_END:] = request.view[-_END:]

    @service.method(raw=True)
    def mirror(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(request.view)  # a request's memory is the client's: no reply can lie there

    return service


@contextmanager
def stamps(directory: Path) -> Iterator[Stamps]:
    """Connect a client."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:

        def call(size: int, stamp: bytes) -> bytes:
            loan = client.loan("stamp", size)
            short = size <= 2 * _END
            if short:
                loan.view[:] = stamp
            else:
                view = loan.view
                view[:_END] = stamp[:_END]
                view[-_END:] = stamp[_END:]
                del view
            with loan.send() as reply:
                view = reply.view
                came = bytes(view) if short else bytes(view[:_END]) + bytes(view[-_END:])
                del view
            return came

        yield call


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield InPlace(client, "mirror")
