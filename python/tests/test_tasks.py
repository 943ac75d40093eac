"""Methods that are coroutine functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import programs
import pytest

import nanorpc
from nanorpc._answers import LaterAnswer
from nanorpc._tasks import Tasks
from nanorpc.testing import ServiceFactory


def test_calls_that_are_given_up_before_they_begin_are_answered(nanorpc_service: ServiceFactory) -> None:
    client = nanorpc_service(programs.answers)
    client.rest(0)
    blocking = client.block.future(0.5)
    time.sleep(0.1)  # until the loop is held up
    futures = [client.rest.future(0) for _ in range(100)]
    time.sleep(0.1)  # until the server has taken them
    for future in futures:
        assert future.cancel()
    blocking.result()
    deadline = time.monotonic() + 10
    while (left := sum(method.in_flight for method in client.stats().methods if method.name == "rest")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == 0


def test_a_cancellation_that_comes_before_its_call(
    serve: Callable[..., nanorpc.Client], eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = nanorpc.Service("early")

    @service.method
    async def rest() -> None:
        await asyncio.sleep(600)

    cancelled = threading.Event()
    start, cancel = Tasks.start, Tasks.cancel

    def start_late(tasks: Tasks, answer: LaterAnswer) -> None:
        cancelled.wait(60)
        start(tasks, answer)

    def tell(tasks: Tasks, ticket: int) -> None:
        cancel(tasks, ticket)
        cancelled.set()

    monkeypatch.setattr(Tasks, "start", start_late)
    monkeypatch.setattr(Tasks, "cancel", tell)
    client = serve(service, workers=2)
    with pytest.raises(nanorpc.DeadlineExceeded):
        client.rest.options(timeout=0.02)()
    assert cancelled.wait(60)
    eventually(lambda: sum(method.in_flight for method in client.stats().methods if method.name == "rest") == 0)


def test_a_coroutine_does_not_end_the_server(nanorpc_service: ServiceFactory) -> None:
    client = nanorpc_service(programs.answers)
    with pytest.raises(nanorpc.RemoteError, match="SystemExit: not here"):
        client.leave()
    assert client.rest(0) is None
