"""RPyC over a Unix socket. Bytes are values for it: they travel. Two things are set for large ones, without which 16 MiB take seconds: messages from
3000 bytes on are not compressed, and go in chunks of 1 MiB instead of 64 kB, for each of which the rest is copied.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rpyc
from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream
from rpyc.utils.factory import unix_connect
from rpyc.utils.server import ThreadedServer

from nanorpc.peers.interface import Add, Arrays, Echo, Pipeline

_NAME = "rpyc.sock"


class _Service(rpyc.Service):  # type: ignore[misc, unused-ignore]
    def exposed_add(self, a: int, b: int) -> int:
        return a + b

    def exposed_echo(self, request: bytes) -> bytes:
        return request


def _set_up() -> None:
    Channel.COMPRESSION_THRESHOLD = 1 << 62
    SocketStream.MAX_IO_CHUNK = 1 << 20


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in a thread for each client."""
    _set_up()
    server = ThreadedServer(_Service, socket_path=str(directory / _NAME))
    thread = threading.Thread(target=server.start)
    thread.start()
    while not server.active:  # it does not tell when it listens
        time.sleep(0.01)
    try:
        yield
    finally:
        server.close()
        thread.join()


@contextmanager
def _connected(directory: Path) -> Iterator[Any]:
    _set_up()
    with unix_connect(str(directory / _NAME)) as connection:
        yield connection.root


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client. It keeps the remote function: to ask the root for it takes a round trip more for each call."""
    with _connected(directory) as root:
        add: Add = root.add
        yield add


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with _connected(directory) as root:
        call: Echo = root.echo
        yield call


@contextmanager
def pipeline(directory: Path, inflight: int) -> Iterator[Pipeline]:
    """Connect a client that sends before it has all replies."""
    with _connected(directory) as root:
        yield _Pipeline(rpyc.async_(root.echo))


class _Pipeline:
    def __init__(self, call: Any) -> None:
        self._call = call
        self._results: deque[Any] = deque()

    def send(self, request: bytes) -> None:
        self._results.append(self._call(request))

    def receive(self) -> bytes:
        reply: bytes = self._results.popleft().value  # waits
        return reply


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client. A view would stay here, and be read from there, element by element: so bytes are made."""
    from nanorpc.peers.copied import copied

    with _connected(directory) as root:
        call = root.echo
        yield copied(lambda numbers: call(numbers.tobytes()))
