"""multiprocessing.connection of the standard library, over a Unix socket: what multiprocessing's pipes, queues and managers are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from nanorpc.peers.interface import Arrays, Echo, Pipeline

_NAME = "connection.sock"


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo, in a thread for each client."""
    with Listener(str(directory / _NAME), family="AF_UNIX", backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield


def _accept(listener: Listener) -> None:
    with suppress(OSError):  # it is closed
        while True:
            threading.Thread(target=_answer, args=(listener.accept(),), daemon=True).start()


def _answer(connection: Connection) -> None:
    with suppress(EOFError, OSError), connection:
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


@contextmanager
def pipeline(directory: Path, inflight: int) -> Iterator[Pipeline]:
    """Connect a client that sends before it has all replies. Both sockets' buffers hold what is in flight, if that is short."""
    with Client(str(directory / _NAME), family="AF_UNIX") as connection:
        yield _Pipeline(connection)


class _Pipeline:
    def __init__(self, connection: Connection) -> None:
        self.send = connection.send_bytes
        self.receive = connection.recv_bytes


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    from nanorpc.peers.copied import copied

    with Client(str(directory / _NAME), family="AF_UNIX") as connection:

        def call(numbers: memoryview) -> bytes:
            connection.send_bytes(numbers)
            return connection.recv_bytes()

        yield copied(call)
