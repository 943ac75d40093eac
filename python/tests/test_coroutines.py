"""Coroutine functions as methods."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

import nanorpc

N = 50


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    service = nanorpc.Service("coroutines")
    inside = 0
    all_inside: list[asyncio.Event] = []

    @service.method
    async def meet() -> bool:
        """Return when N calls are inside at once."""
        nonlocal inside
        inside += 1
        if not all_inside:
            all_inside.append(asyncio.Event())
        if inside == N:
            all_inside[0].set()
        await asyncio.wait_for(all_inside[0].wait(), 60)
        return True

    @service.method
    def add(a: int, b: int) -> int:
        return a + b

    @service.method
    async def add_later(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    @service.method
    async def name() -> str:
        return threading.current_thread().name

    @service.method
    async def cancel_myself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(100)

    @service.method
    async def leave(how: str) -> None:
        raise {"exit": SystemExit, "interrupt": KeyboardInterrupt}[how](7)

    @service.method
    async def leave_in_a_task(how: str) -> None:
        await asyncio.create_task(leave(how))

    @service.method
    async def large(length: int) -> bytes:
        return bytes(length)

    return serve(service, workers=1, max_payload=1 << 20)


def test_they_run_side_by_side_with_one_worker(client: nanorpc.Client) -> None:
    futures = [client.meet.future() for _ in range(N)]
    assert client.add(1, 2) == 3
    assert [future.result(60) for future in futures] == [True] * N


def test_they_run_in_one_thread(client: nanorpc.Client) -> None:
    assert {client.name() for _ in range(5)} == {"nanorpc-coroutines-loop"}


def test_many(client: nanorpc.Client) -> None:
    with client.batch() as batch:
        entries = [batch.add_later(i, i) if i % 2 else batch.add(i, i) for i in range(600)]
    assert [entry.result() for entry in entries] == [2 * i for i in range(600)]


def test_one_that_cancels_itself(client: nanorpc.Client) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.RemoteError, match="CancelledError"):
            client.cancel_myself()
    assert client.add_later(1, 2) == 3


@pytest.mark.parametrize("method", ["leave", "leave_in_a_task"])
@pytest.mark.parametrize(("how", "error"), [("exit", "SystemExit: 7"), ("interrupt", "KeyboardInterrupt: 7")])
def test_ones_that_want_to_end_the_program(client: nanorpc.Client, method: str, how: str, error: str) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.RemoteError, match=error):
            client.method(method).options(timeout=60)(how)
        assert client.add_later.options(timeout=60)(1, 2) == 3


def test_replies_that_are_too_large(client: nanorpc.Client) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.large((1 << 20) + 1)
        assert client.large(100_000) == bytes(100_000)
