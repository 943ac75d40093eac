"""Methods that are tried again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc import aio


class Counter:
    def __init__(self) -> None:
        self.runs: list[str] = []
        self.enough = 3
        self.end = threading.Event()

    def run(self, name: str) -> int:
        """Be too late until there have been enough runs."""
        self.runs.append(name)
        if len(self.runs) < self.enough:
            self.end.wait(60)
        return len(self.runs)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client], counter: Counter) -> Any:
    service = nanorpc.Service("again")

    @service.method(idempotent=True)
    def look() -> int:
        return counter.run("look")

    @service.method
    def pay() -> int:
        return counter.run("pay")

    @service.method
    async def sleep() -> None:
        while not counter.end.is_set():
            await asyncio.sleep(0.01)

    yield serve(service, workers=8)
    counter.end.set()


def test_idempotent_methods_are_tried_again(client: nanorpc.Client, counter: Counter) -> None:
    assert client.look.options(timeout=0.2, retries=4)() == 3
    assert counter.runs == ["look"] * 3


def test_only_so_often(client: nanorpc.Client, counter: Counter) -> None:
    counter.enough = 100
    with pytest.raises(nanorpc.DeadlineExceeded):
        client.look.options(timeout=0.05, retries=2)()
    assert counter.runs == ["look"] * 3


def test_others_are_not_tried_again(client: nanorpc.Client, counter: Counter) -> None:
    with pytest.raises(nanorpc.DeadlineExceeded) as caught:
        client.pay.options(timeout=0.1, retries=5)()
    assert caught.value.sent
    assert counter.runs == ["pay"]


def test_others_are_tried_again_if_they_have_not_been_sent(client: nanorpc.Client, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    counter.enough = 0
    loans = [client.loan("sleep", 0) for _ in range(256)]
    with pytest.raises(nanorpc.DeadlineExceeded) as caught:
        client.pay.options(timeout=0.05)()
    assert not caught.value.sent
    acquire, tries = client._channel.acquire, 0

    def counted(deadline: int) -> tuple[int, int]:
        nonlocal tries
        tries += 1
        if tries == 3:
            loans.pop().release()
        return acquire(deadline)

    monkeypatch.setattr(client._channel, "acquire", counted)
    assert client.pay.options(timeout=0.5, retries=10)() == 1
    assert tries == 3
    assert counter.runs == ["pay"]


def test_options(client: nanorpc.Client, counter: Counter) -> None:
    with pytest.raises(nanorpc.InvalidOption, match="retries=-1"):
        client.pay.options(retries=-1)
    counter.enough = 0
    method = client.pay.options(timeout=20).options(retries=1)
    assert method() == 1
    assert client.pay.options()() == 2


def test_the_timeout_of_the_client(client: nanorpc.Client, counter: Counter) -> None:
    with nanorpc.connect("again", timeout=0.1) as impatient:
        for use in (
            lambda: impatient.sleep(),
            lambda: impatient.call("sleep", b"\x90"),
            lambda: impatient.sleep.future().result(60),
            lambda: impatient.future("sleep").result(60),
            lambda: impatient.loan("sleep", 0).send(),
            lambda: impatient.call_lease("sleep"),
        ):
            with pytest.raises(nanorpc.DeadlineExceeded, match="no reply to sleep in time"):
                use()
        with impatient.batch() as batch:
            entry = batch.sleep()
        with pytest.raises(nanorpc.DeadlineExceeded, match="no reply to sleep in time"):
            entry.result()


def test_on_an_event_loop(client: nanorpc.Client, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with aio.connect("again") as other:
            assert await other.look.options(timeout=0.2, retries=4)() == 3
            counter.enough = 100
            with pytest.raises(nanorpc.DeadlineExceeded) as caught:
                await other.pay.options(timeout=0.1, retries=5)()
            assert caught.value.sent
            assert counter.runs == ["look"] * 3 + ["pay"]
            counter.end.set()  # what has been given up ends, and gives its slots back
            loans = [await other.loan("sleep", 0) for _ in range(256)]
            with pytest.raises(nanorpc.DeadlineExceeded) as caught:
                await other.pay.options(timeout=0.05)()
            assert not caught.value.sent
            take, tries = other._calls.take, 0

            async def counted(deadline: int) -> tuple[int, int]:
                nonlocal tries
                tries += 1
                if tries == 3:
                    loans.pop().release()
                return await take(deadline)

            monkeypatch.setattr(other._calls, "take", counted)
            assert await other.pay.options(timeout=0.5, retries=10)() == 5
            assert tries == 3
            assert counter.runs == ["look"] * 3 + ["pay"] * 2

    asyncio.run(main())
