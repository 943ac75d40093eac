"""NanoRPC: clients in Python of the benchmark's server in Go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import nanorpc
from nanorpc.peers.interface import Arrays, AsyncEcho, Batch, Echo

SERVICE = "bench"


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        call = client.call
        yield lambda request: call("echo", request)


@contextmanager
def batch(directory: Path) -> Iterator[Batch]:
    """Connect a client that makes calls in batches."""
    with nanorpc.connect(SERVICE, directory=str(directory)) as client:

        def call(requests: Sequence[bytes]) -> Sequence[bytes]:
            with client.batch() as calls:
                replies = [calls.call("echo", request) for request in requests]
            return [reply.result() for reply in replies]

        yield call


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client. It gives the array's bytes, which are copied once, and gets bytes. See nanorpc_loan for how to have no copies."""
    from nanorpc.peers.copied import copied

    with nanorpc.connect(SERVICE, directory=str(directory)) as client:
        yield copied(lambda numbers: client.call("echo", numbers))


@asynccontextmanager
async def aio(directory: Path) -> AsyncIterator[AsyncEcho]:
    """Connect a client for asyncio."""
    async with nanorpc.aio.connect(SERVICE, directory=str(directory)) as client:
        call = client.call
        yield lambda request: call("echo", request)
