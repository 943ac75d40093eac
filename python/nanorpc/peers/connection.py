"""multiprocessing.connection of the standard library, over a Unix socket: what multiprocessing's pipes, queues and managers are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path

from nanorpc.peers.interface import Echo

_NAME = "connection.sock"


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo to one client, in a thread."""
    with Listener(str(directory / _NAME), family="AF_UNIX") as listener:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        yield


def _answer(listener: Listener) -> None:
    with suppress(EOFError, OSError), listener.accept() as connection:
        while True:
            connection.send_bytes(connection.recv_bytes())


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with Client(str(directory / _NAME), family="AF_UNIX") as connection:
        # Long messages could be received into a buffer that is there already, with recv_bytes_into.
        def call(request: bytes) -> bytes:
            connection.send_bytes(request)
            return connection.recv_bytes()

        yield call
