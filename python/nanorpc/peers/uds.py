"""A Unix stream socket, with a length before each message. The server is the one of :mod:`nanorpc._peer`: blocking calls in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from nanorpc._peer import UDS_NAME, Messages
from nanorpc.peers.interface import Echo


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with socket(AF_UNIX, SOCK_STREAM) as connection:
        connection.connect(str(directory / UDS_NAME))
        messages = Messages(connection)

        def call(request: bytes) -> bytes | None:
            messages.send(request)
            return messages.receive()

        yield call
