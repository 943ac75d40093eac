"""The client for asyncio: how connections and loops end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import nanorpc
from nanorpc import aio

service = nanorpc.Service("ends")


@service.method
def add(a: int) -> int:
    return a + 1


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    return serve(service)


def test_the_server_is_killed_while_hundreds_wait(demo: subprocess.Popen[str]) -> None:
    async def main() -> None:
        async with aio.connect("demo") as client, aio.connect("demo") as idle:
            tasks = [asyncio.create_task(client.call("sleep", b"60000")) for _ in range(400)]
            assert await idle.call("echo", b"x") == b"x"
            await asyncio.sleep(0.05)
            demo.kill()
            results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
            assert {type(result) for result in results} == {nanorpc.ServerGone}
            for one in (client, idle):
                for _ in range(300):
                    with pytest.raises(nanorpc.ServerGone):
                        await asyncio.wait_for(one.call("echo"), 60)
                with pytest.raises(nanorpc.ServerGone):
                    await (await one.loan("echo", 10)).send()

    asyncio.run(main())


def test_an_idle_client_is_told_of_the_end(demo: subprocess.Popen[str]) -> None:
    async def main() -> None:
        async with aio.connect("demo") as client, aio.connect("demo") as closed:
            waiting = [asyncio.create_task(client.wait_closed()) for _ in range(3)]
            here = asyncio.create_task(closed.wait_closed())
            assert await client.call("echo", b"x") == b"x"
            assert not (await asyncio.wait([*waiting, here], timeout=0.1))[0]
            waiting[0].cancel()
            closed.close()
            await asyncio.wait_for(here, 60)
            assert not waiting[1].done()
            demo.kill()
            await asyncio.wait_for(asyncio.gather(*waiting[1:]), 60)
            await asyncio.wait_for(client.wait_closed(), 60)

    asyncio.run(main())


def test_the_server_shuts_down(directory: Path) -> None:
    async def main() -> None:
        server = nanorpc.Server(service)
        server.start()
        async with aio.connect("ends") as client:
            assert await client.add(1) == 2
            await asyncio.get_running_loop().run_in_executor(None, server.shutdown)
            with pytest.raises(nanorpc.ServerGone):
                await asyncio.wait_for(client.add(1), 60)
        with pytest.raises(nanorpc.ServerNotFound):
            await aio.connect("ends")

    asyncio.run(main())


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def mapped() -> int:
    return sum("memfd:nanorpc" in line or "/dev/shm" in line for line in Path("/proc/self/maps").read_text().splitlines())


def test_connections_leave_nothing(demo: subprocess.Popen[str], eventually: Callable[..., None]) -> None:
    async def main(count: int) -> None:
        for _ in range(count):
            async with aio.connect("demo") as client:
                assert await client.call("echo", bytes(1000)) == bytes(1000)

    asyncio.run(main(2))
    before = descriptors()
    asyncio.run(main(50))
    eventually(lambda: descriptors() <= before, "descriptors are left")
    eventually(lambda: mapped() == 0, "memory is left")


@pytest.mark.parametrize("how", ["closed", "left open", "dropped", "cancelled"])
def test_loops_leave_nothing(demo: subprocess.Popen[str], eventually: Callable[..., None], how: str) -> None:
    kept: list[object] = []

    async def main() -> None:
        client = await aio.connect("demo")
        assert await client.call("echo", b"x") == b"x"
        if how == "closed":
            client.close()
        elif how == "left open":
            kept.append(client)
        elif how == "cancelled":
            kept.append(asyncio.create_task(client.call("sleep", b"60000")))
            await asyncio.sleep(0)

    def run(count: int) -> None:
        for _ in range(count):
            asyncio.run(main())
        kept.clear()
        gc.collect()

    if how != "closed":
        with pytest.warns(ResourceWarning, match="was not closed"):
            run(2)
    else:
        run(2)
    before = descriptors()
    if how != "closed":
        with pytest.warns(ResourceWarning, match="was not closed"):
            run(20)
    else:
        run(20)
    eventually(lambda: descriptors() <= before, "descriptors are left")
    eventually(lambda: mapped() == 0, "memory is left")


def test_connecting_is_cancelled(client: nanorpc.Client, eventually: Callable[..., None]) -> None:
    async def main() -> None:
        for delay in (0, 0.001, 0.002):
            connecting = asyncio.ensure_future(aio.connect("ends").__aenter__())
            await asyncio.sleep(delay)
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await connecting).close()
        async with aio.connect("ends") as other:
            assert await other.add(1) == 2

    asyncio.run(main())
    eventually(lambda: len(client.stats().connections) == 1, "a connection is left")


def test_the_same_loop_connects_again(client: nanorpc.Client) -> None:
    loop = asyncio.new_event_loop()
    try:
        for _ in range(5):

            async def main() -> None:
                async with aio.connect("ends") as other:
                    assert await other.add(1) == 2

            loop.run_until_complete(main())
    finally:
        loop.close()


def test_uvloop(demo: subprocess.Popen[str]) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with aio.connect("demo") as one, aio.connect("demo", timeout=0.1) as two:
            payloads = [b"%d" % i for i in range(3000)]
            assert await asyncio.gather(*(one.call("echo", payload) for payload in payloads)) == payloads
            with pytest.raises(nanorpc.DeadlineExceeded):
                await two.call("sleep", b"60000")
            tasks = [asyncio.create_task(one.call("sleep", b"60000")) for _ in range(300)]
            await asyncio.sleep(0.02)
            tasks[0].cancel()
            demo.kill()
            results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
            assert {type(result) for result in results[1:]} == {nanorpc.ServerGone}
            assert isinstance(results[0], asyncio.CancelledError)

    before = descriptors()
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert descriptors() <= before + 10
