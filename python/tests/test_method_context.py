"""What methods of all kinds learn of their calls."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

import nanorpc
from nanorpc import Context
from nanorpc.raw import Reply, Request

KINDS = ["typed", "large", "coroutine", "large coroutine", "of_bytes", "of_bytes_coroutine", "in_place"]


class Seen:
    """What the methods have seen, and when they may go on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()
        self.go_on = threading.Event()
        self.context: list[object] = []

    def note(self, ctx: Context) -> None:
        self.context = [ctx.service, ctx.method, ctx.peer.pid, ctx.peer.connection == ctx.connection, ctx.remaining, ctx.deadline, ctx.cancelled]

    def wait(self, ctx: Context) -> None:
        self.note(ctx)
        self.begun.set()
        while not self.go_on.is_set():
            if ctx.cancelled:
                self.cancelled.set()
            time.sleep(0.002)

    async def wait_later(self, ctx: Context) -> None:
        self.note(ctx)
        self.begun.set()
        try:
            while not self.go_on.is_set():
                await asyncio.sleep(0.002)
        finally:
            if ctx.cancelled:
                self.cancelled.set()


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    yield seen
    seen.go_on.set()


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client], seen: Seen) -> nanorpc.Client:
    service = nanorpc.Service("contexts")

    @service.method
    def typed(ctx: Context, value: int = 3) -> int:
        seen.wait(ctx)
        return value

    @service.method
    def large(value: np.ndarray, ctx: Context, other: int = 3) -> int:  # type: ignore[type-arg]
        seen.wait(ctx)
        return other

    @service.method
    async def coroutine(value: int = 3, *, ctx: Context) -> int:
        await seen.wait_later(ctx)
        return value

    @service.method(name="large coroutine")
    async def large_coroutine(value: np.ndarray, ctx: Context) -> int:  # type: ignore[type-arg]
        await seen.wait_later(ctx)
        return 3

    @service.method(raw=True)
    def of_bytes(request: bytes, ctx: Context) -> bytes:
        seen.wait(ctx)
        return request

    @service.method(raw=True)
    async def of_bytes_coroutine(request: bytes, ctx: Context) -> bytes:
        await seen.wait_later(ctx)
        return request

    @service.method(raw=True)
    def in_place(request: Request, out: Reply, ctx: Context) -> None:
        seen.wait(ctx)
        out.view(len(request))[:] = request.view

    return serve(service)


def call(client: nanorpc.Client, kind: str, timeout: float | None = None) -> object:
    if kind in ("of_bytes", "of_bytes_coroutine", "in_place"):
        return client.call(kind, b"\3", timeout=timeout)[0]
    method = client.method(kind).options(timeout=timeout)
    return method(np.zeros(10_000)) if kind.startswith("large") else method()


@contextmanager
def in_thread(function: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=function)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_without_a_deadline(client: nanorpc.Client, seen: Seen, kind: str) -> None:
    seen.go_on.set()
    assert call(client, kind) == 3
    assert seen.context == ["contexts", kind, os.getpid(), True, None, None, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_with_a_deadline(client: nanorpc.Client, seen: Seen, kind: str) -> None:
    seen.go_on.set()
    before = time.monotonic()
    assert call(client, kind, 1000) == 3
    remaining, deadline, cancelled = seen.context[4:]
    assert isinstance(remaining, float)
    assert isinstance(deadline, float)
    assert 900 < remaining <= 1000
    assert before + 1000 <= deadline <= time.monotonic() + 1000
    assert cancelled is False


@pytest.mark.parametrize("kind", KINDS)
def test_the_deadline_passes(client: nanorpc.Client, seen: Seen, kind: str) -> None:
    with pytest.raises(nanorpc.DeadlineExceeded, match=kind):
        call(client, kind, 0.1)
    assert seen.cancelled.wait(60)
    seen.go_on.set()
    assert call(client, kind) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_caller_closes(client: nanorpc.Client, seen: Seen, kind: str) -> None:
    with nanorpc.connect("contexts") as other:

        def give_up() -> None:
            with suppress(nanorpc.ClientClosed):
                call(other, kind)

        with in_thread(give_up):
            assert seen.begun.wait(60)
            assert not seen.cancelled.wait(0.02)
            other.close()
            assert seen.cancelled.wait(60)
    seen.go_on.set()
    assert call(client, kind) == 3


@pytest.mark.parametrize("kind", ["typed", "coroutine", "of_bytes", "of_bytes_coroutine", "in_place"])
def test_the_future_is_cancelled(client: nanorpc.Client, seen: Seen, kind: str) -> None:
    future = client.future(kind, b"\3") if "_" in kind else client.method(kind).future()
    assert seen.begun.wait(60)
    assert future.cancel()
    assert seen.cancelled.wait(60)
    seen.go_on.set()
    assert call(client, kind) == 3


def test_contexts_are_of_their_own_call(serve: Callable[..., nanorpc.Client]) -> None:
    service = nanorpc.Service("own")

    @service.method
    def mine(ctx: Context) -> tuple[int, int, bool]:
        return ctx.connection, ctx.peer.pid, ctx.cancelled

    @service.method
    async def mine_later(ctx: Context) -> tuple[int, int, bool]:
        await asyncio.sleep(0)
        return ctx.connection, ctx.peer.pid, ctx.cancelled

    with serve(service) as one, nanorpc.connect("own") as other:
        of_one = {tuple(one.mine()) for _ in range(20)} | {tuple(one.mine_later()) for _ in range(20)}
        of_other = {tuple(other.mine()) for _ in range(20)} | {tuple(other.mine_later()) for _ in range(20)}
    assert len(of_one) == len(of_other) == 1
    assert of_one != of_other
    assert {pid for _, pid, _ in of_one | of_other} == {os.getpid()}
