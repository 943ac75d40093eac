"""A Unix stream socket, with a length before each message. The server is that of :mod:`nanorpc._peer`: blocking calls in a thread for each client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from nanorpc._peer import UDS_NAME, Messages
from nanorpc.peers.interface import Arrays, Echo


@contextmanager
def _connected(directory: Path) -> Iterator[Messages]:
    with socket(AF_UNIX, SOCK_STREAM) as connection:
        connection.connect(str(directory / UDS_NAME))
        yield Messages(connection)


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client. Calls in flight take as many connections: several on one would need a reader that keeps what follows a message."""
    with _connected(directory) as messages:

        def call(request: bytes) -> bytes | None:
            messages.send(request)
            return messages.receive()

        yield call


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    from nanorpc.peers.copied import copied

    with _connected(directory) as messages:

        def call(numbers: memoryview) -> bytes:
            messages.send(numbers)
            return messages.receive() or b""

        yield copied(call)
