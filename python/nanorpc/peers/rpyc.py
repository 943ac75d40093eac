"""RPyC over a Unix socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rpyc
from rpyc.utils.factory import unix_connect
from rpyc.utils.server import ThreadedServer

from nanorpc.peers.interface import Add

_NAME = "rpyc.sock"


class _Calculator(rpyc.Service):  # type: ignore[misc, unused-ignore]
    def exposed_add(self, a: int, b: int) -> int:
        return a + b


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in a thread for each client."""
    server = ThreadedServer(_Calculator, socket_path=str(directory / _NAME))
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
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client. It keeps the remote function: to ask the root for it takes a round trip more for each call."""
    with unix_connect(str(directory / _NAME)) as connection:
        add: Add = connection.root.add
        yield add
