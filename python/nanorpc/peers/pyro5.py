"""Pyro5 over a Unix socket, with marshal for its serializer, which its documentation calls the fastest."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import Pyro5.api

from nanorpc.peers.interface import Add, Arrays, Batch, Echo

_NAME = "pyro.sock"


class _Service:
    @Pyro5.api.expose  # type: ignore[untyped-decorator, unused-ignore]
    def add(self, a: int, b: int) -> int:
        return a + b

    @Pyro5.api.expose  # type: ignore[untyped-decorator, unused-ignore]
    def echo(self, request: bytes) -> bytes:
        return request


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, in a thread for each client, which blocks in recv. The other kind of server, "multiplex", polls before each call."""
    with Pyro5.api.Daemon(unixsocket=str(directory / _NAME)) as daemon:
        daemon.register(_Service(), "service")
        thread = threading.Thread(target=daemon.requestLoop)
        thread.start()
        try:
            yield
        finally:
            daemon.shutdown()
            thread.join()


@contextmanager
def _connected(directory: Path, serializer: str = "marshal") -> Iterator[Any]:
    with Pyro5.api.Proxy(f"PYRO:service@./u:{directory / _NAME}") as proxy:
        proxy._pyroSerializer = serializer
        proxy._pyroBind()
        yield proxy


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client, by one proxy for all calls."""
    with _connected(directory) as proxy:
        add: Add = proxy.add
        yield add


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client, by one proxy for all calls."""
    with _connected(directory) as proxy:
        call: Echo = proxy.echo
        yield call


@contextmanager
def batch(directory: Path) -> Iterator[Batch]:
    """Connect a client that makes calls in batches, each of which is one message, and one reply. With marshal batches fail, in Pyro5 5.15 to 5.17."""
    with _connected(directory, "msgpack") as proxy:

        def call(requests: Sequence[bytes]) -> Sequence[bytes]:
            calls = Pyro5.api.BatchProxy(proxy)
            for request in requests:
                calls.echo(request)
            return list(calls())

        yield call


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client. A serializer takes bytes, and no views."""
    from nanorpc.peers.copied import copied

    with _connected(directory) as proxy:
        call = proxy.echo
        yield copied(lambda numbers: call(numbers.tobytes()))
