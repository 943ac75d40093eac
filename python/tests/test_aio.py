"""The client for asyncio: calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import numpy as np
import pytest

import nanorpc
from nanorpc import aio

MAX = 1 << 20
CHECK_TIMEOUT = 60


class State:
    def __init__(self) -> None:
        self.service = nanorpc.Service("loops")
        self.cancelled: list[int] = []
        self.begun: list[int] = []
        self.most = 0
        self.now = 0
        self.go_on = threading.Event()

        @self.service.method(idempotent=True)
        def add(a: int, b: int = 1) -> int:
            return a + b

        @self.service.method
        def fail(text: str) -> None:
            raise KeyError(text)

        @self.service.method
        def array(length: int, fill: int) -> np.ndarray:  # type: ignore[type-arg]
            return np.full(length, fill, np.uint8)

        @self.service.method(raw=True)
        def same(request: bytes) -> bytes:
            return request

        @self.service.method
        def block() -> int:
            self.go_on.wait(60)
            return 1

        @self.service.method
        async def sleep(number: int) -> int:
            self.begun.append(number)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                self.cancelled.append(number)
                raise
            return number

        @self.service.method
        def close(a: int) -> int:
            return -a


@pytest.fixture
def state(directory: Any) -> Iterator[State]:
    state = State()
    with nanorpc.Server(state.service, workers=3, arena=16 << 20, max_payload=MAX):
        yield state
        state.go_on.set()


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[aio.Client]:
    async with aio.connect("loops", **options) as client:
        yield client


async def eventually(condition: Callable[[], object]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), CHECK_TIMEOUT)


async def all_slots_are_free(client: aio.Client) -> None:
    loans = [await client.loan("no method", 0, timeout=CHECK_TIMEOUT) for _ in range(256)]
    for loan in loans:
        loan.release()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(main(), 200)

    asyncio.run(limited())


def test_calls(state: State) -> None:
    class Typed(Protocol):
        async def add(self, a: int, b: int = 1) -> int: ...

    async def main() -> None:
        client = await aio.connect("loops")
        async with client:
            assert client.service == "loops"
            assert client.max_payload == MAX
            assert await client.add(1) == await client.add(1, b=1) == await client.add(a=1) == await client.bind(Typed).add(1) == 2
            assert await client.method("close")(3) == -3
            for size in (0, 1, 224, 225, 70_000, MAX):
                assert await client.call("same", bytes(size)) == bytes(size)
                if size < MAX:
                    assert (await client.array(size, 3) == 3).all()
                loan = await client.loan("same", size)
                loan.view[:] = bytes(size)
                with await loan.send() as lease:
                    assert bytes(lease) == bytes(size)
                with pytest.raises(nanorpc.Released):
                    await loan.send()
            assert [info.name for info in await client.methods()] == list(state.service.methods)
            assert (await client.add.info()).idempotent
            assert (await client.stats()).service == "loops"
            for error, use in (
                (nanorpc.RemoteError, lambda: client.fail("x")),
                (nanorpc.BadRequest, lambda: client.add("x")),
                (nanorpc.UnknownMethod, lambda: client.no_such()),
                (nanorpc.PayloadTooLarge, lambda: client.call("same", bytes(MAX + 1))),
                (nanorpc.PayloadTooLarge, lambda: client.loan("same", MAX + 1)),
                (TypeError, lambda: client.add(object())),
            ):
                for _ in range(3):
                    with pytest.raises(error):
                        await use()
            await all_slots_are_free(client)
        with pytest.raises(nanorpc.ClientClosed):
            await client.add(1)
        client.close()

    run(main)


def test_thousands_at_once(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            assert await asyncio.gather(*(client.add(i, i) for i in range(5000))) == [2 * i for i in range(5000)]
            sizes = [(i * 7919) % 3000 for i in range(1000)]
            arrays = await asyncio.gather(*(client.array(size, 5) for size in sizes))
            assert [len(array) for array in arrays] == sizes
            results = await asyncio.gather(*(client.add(i) if i % 3 else client.fail(str(i)) for i in range(1000)), return_exceptions=True)
            for i, result in enumerate(results):
                assert result == i + 1 if i % 3 else str(result) == f"KeyError: '{i}'"
            await all_slots_are_free(client)

    run(main)


def test_cancelling_a_task_cancels_the_coroutine(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            tasks = [asyncio.create_task(client.sleep(i)) for i in range(300)]  # more than there are slots
            await eventually(lambda: len(state.begun) == 256)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            await eventually(lambda: len(state.cancelled) >= 256)
            await all_slots_are_free(client)
            assert sorted(state.cancelled) == sorted(state.begun)
            assert await client.add(1) == 2

    run(main)


def test_timeouts(state: State) -> None:
    async def main() -> None:
        async with connected(timeout=0.2) as client:
            results = await asyncio.gather(*(client.sleep(i) for i in range(300)), return_exceptions=True)
            assert all(isinstance(result, nanorpc.DeadlineExceeded) for result in results), set(map(type, results))
            await eventually(lambda: sorted(state.cancelled) == sorted(state.begun))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.sleep.options(timeout=100)(1), 0.1)
            with pytest.raises(nanorpc.DeadlineExceeded, match="no reply to block in time"):
                await client.call("block", timeout=0.05)
            state.go_on.set()
            await all_slots_are_free(client)
            assert await client.add.options(timeout=60)(1) == 2

    run(main)


def test_the_client_is_closed_while_calls_wait(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            tasks = [asyncio.create_task(client.sleep(i)) for i in range(400)]
            await eventually(lambda: len(state.begun) == 256)
            client.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} == {nanorpc.ClientClosed}
            await eventually(lambda: sorted(state.cancelled) == sorted(state.begun))

    run(main)


def test_two_clients_on_one_loop(state: State) -> None:
    async def main() -> None:
        async with connected() as one, connected() as two:
            results = await asyncio.gather(*((one if i % 2 else two).add(i) for i in range(2000)))
            assert results == [i + 1 for i in range(2000)]
            waiting = asyncio.create_task(two.sleep(1))
            await eventually(lambda: state.begun)
            one.close()
            assert await two.add(1) == 2
            waiting.cancel()
            await eventually(lambda: state.cancelled)
            async with connected() as three:
                assert await three.add(1) == 2

    run(main)


def test_two_loops_in_two_threads(state: State) -> None:
    wrong: list[object] = []

    def work() -> None:
        async def main() -> None:
            async with connected() as client:
                assert await asyncio.gather(*(client.add(i) for i in range(1000))) == [i + 1 for i in range(1000)]

        try:
            run(main)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_slots_that_are_kept_do_not_block_for_ever(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            arrays = await asyncio.gather(*(client.array(70_000, i % 256) for i in range(180)))
            assert all((array == i % 256).all() for i, array in enumerate(arrays))
            assert await asyncio.gather(*(client.add(i) for i in range(1000))) == [i + 1 for i in range(1000)]
            arrays.clear()
            loans = [await client.loan("same", 0) for _ in range(256)]
            tasks = [asyncio.create_task(client.add(i)) for i in range(50)]
            with pytest.raises(nanorpc.DeadlineExceeded) as caught:
                await client.call("same", timeout=0.05)
            assert not caught.value.sent
            assert not any(task.done() for task in tasks)
            del loans[100:]
            assert await asyncio.gather(*tasks) == [i + 1 for i in range(50)]
            loans.clear()
            await all_slots_are_free(client)

    run(main)


def test_waiting_for_a_slot_is_cancelled(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            loans = [await client.loan("same", 0) for _ in range(256)]
            tasks = [asyncio.create_task(client.add(i)) for i in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            loans.pop().release()  # those that are cancelled may be given it first
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [result for result in results if isinstance(result, int)] == [i + 1 for i in range(1, 50, 2)]
            loans.clear()
            await all_slots_are_free(client)

    run(main)


def test_large_payloads_wait_for_room(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            payloads = [bytes([i]) * MAX for i in range(40)]
            assert await asyncio.gather(*(client.call("same", payload) for payload in payloads)) == payloads
            held = [await client.loan("same", MAX) for _ in range(8)]
            with pytest.raises(nanorpc.DeadlineExceeded):  # noqa: PT012
                while True:
                    held.append(await client.loan("same", MAX, timeout=0.05))
            waiting = [asyncio.create_task(client.call("same", payloads[i])) for i in range(5)]
            given_up = asyncio.create_task(client.call("same", payloads[0]))
            await asyncio.sleep(0.02)
            assert not any(task.done() for task in waiting)
            given_up.cancel()
            held.clear()
            assert await asyncio.gather(*waiting) == payloads[:5]
            await all_slots_are_free(client)

    run(main)


def test_loans_that_fail(state: State) -> None:
    async def main() -> None:
        async with connected() as client:
            errors = []
            for _ in range(100):
                for size in (10, 1000):
                    with pytest.raises(nanorpc.UnknownMethod) as caught:
                        await (await client.loan("no such", size)).send()
                    errors.append(caught.value)
                await client.loan("same", 1000)  # dropped
            waiting = asyncio.create_task((await client.loan("block", 0)).send())
            with pytest.raises(nanorpc.DeadlineExceeded):
                await (await client.loan("block", 0)).send(timeout=0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
            state.go_on.set()
            await all_slots_are_free(client)

    run(main)
