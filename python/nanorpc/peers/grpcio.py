"""gRPC with blocking calls, over a Unix socket. Bytes go as they are, without protobuf, which would take its time on top."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from nanorpc.peers.interface import Arrays, Echo

SERVICE = "bench"
METHOD = "echo"
UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
"""Options without which messages end at 4 MiB."""


def address(directory: Path) -> str:
    """Return where the server listens."""
    return f"unix:{directory / 'grpc.sock'}"


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo."""
    with served(directory, METHOD, grpc.unary_unary_rpc_method_handler(lambda request, context: request)):  # without serializers: bytes
        yield


@contextmanager
def served(directory: Path, method: str, handler: Any) -> Iterator[None]:
    """Serve, in threads of a pool, as gRPC wants it. How many these are makes no difference to a client that calls again after its reply."""
    server = grpc.server(ThreadPoolExecutor(max_workers=10), options=UNLIMITED)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {method: handler}),))
    server.add_insecure_port(address(directory))
    server.start()
    try:
        yield
    finally:
        server.stop(grace=None).wait()


@contextmanager
def connected(directory: Path) -> Iterator[Any]:
    """Connect a client: one channel, used for all calls."""
    with grpc.insecure_channel(address(directory), options=UNLIMITED) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        yield channel


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client: one stub, used for all calls."""
    with connected(directory) as channel:
        # A stream on which messages go back and forth is no quicker in Python: it takes threads.
        call: Echo = channel.unary_unary(f"/{SERVICE}/{METHOD}")
        yield call


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client. Messages are bytes, and no views."""
    from nanorpc.peers.copied import copied

    with connected(directory) as channel:
        call = channel.unary_unary(f"/{SERVICE}/{METHOD}")
        yield copied(lambda numbers: call(numbers.tobytes()))
