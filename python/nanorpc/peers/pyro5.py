"""Pyro5 over a Unix socket, with marshal for its serializer, which its documentation calls the fastest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import Pyro5.api

from nanorpc.peers.interface import Add

_NAME = "pyro.sock"


class _Calculator:
    @Pyro5.api.expose  # type: ignore[untyped-decorator, unused-ignore]
    def add(self, a: int, b: int) -> int:
        return a + b


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in a thread for each client, which blocks in recv. The other kind of server, "multiplex", polls before each call."""
    with Pyro5.api.Daemon(unixsocket=str(directory / _NAME)) as daemon:
        daemon.register(_Calculator(), "calculator")
        thread = threading.Thread(target=daemon.requestLoop)
        thread.start()
        try:
            yield
        finally:
            daemon.shutdown()
            thread.join()


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client, by one proxy for all calls."""
    with Pyro5.api.Proxy(f"PYRO:calculator@./u:{directory / _NAME}") as proxy:
        proxy._pyroSerializer = "marshal"
        proxy._pyroBind()
        add: Add = proxy.add
        yield add
