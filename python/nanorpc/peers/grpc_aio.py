"""gRPC's asyncio API at both ends, which its documentation recommends for performance, over a Unix socket, with bytes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from nanorpc.peers.grpcio import METHOD, SERVICE, UNLIMITED, address
from nanorpc.peers.interface import AsyncEcho


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo, in a thread with an event loop: asyncio's own. uvloop's may be quicker."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(directory), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(grace=None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(directory: Path) -> Any:
    async def answer(request: bytes, context: object) -> bytes:
        return request

    server = grpc.aio.server(options=UNLIMITED)
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    server.add_insecure_port(address(directory))
    await server.start()
    return server


@asynccontextmanager
async def aio(directory: Path) -> AsyncIterator[AsyncEcho]:
    """Connect a client: one channel, on which all calls are: a second one carried no more."""
    async with grpc.aio.insecure_channel(address(directory), options=UNLIMITED) as channel:
        await asyncio.wait_for(channel.channel_ready(), timeout=10)
        call: AsyncEcho = channel.unary_unary(f"/{SERVICE}/{METHOD}")
        yield call
