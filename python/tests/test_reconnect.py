"""Clients that go on with the next server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import nanorpc
from nanorpc import aio

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., subprocess.Popen[str]]

WAYS: dict[str, Callable[[nanorpc.Client, float | None], Any]] = {
    "call": lambda client, timeout: client.call("echo", b"hello", timeout=timeout),
    "long": lambda client, timeout: client.call("echo", bytes(100_000), timeout=timeout),
    "future": lambda client, timeout: client.future("echo", b"hello", timeout=timeout).result(),
    "batch": lambda client, timeout: in_batch(client, timeout),
    "lease": lambda client, timeout: bytes(client.call_lease("echo", b"hello", timeout=timeout).view),
    "loan": lambda client, timeout: bytes(client.loan("echo", 100_000, timeout=timeout).send().view),
    "method": lambda client, timeout: client.sha256.options(timeout=timeout)(),
    "stats": lambda client, timeout: client.stats(timeout=timeout),
    "describe": lambda client, timeout: client.describe(timeout=timeout),
}


def in_batch(client: nanorpc.Client, timeout: float | None) -> list[bytes]:
    batch = client.batch(timeout=timeout)
    entries = [batch.call("echo", b"hello") for _ in range(300)]
    batch.run()
    return [entry.result() for entry in entries]


@pytest.fixture
def start_demo(start: Start) -> Callable[[], subprocess.Popen[str]]:
    return lambda: start(str(ROOT / "server"), "-service", "demo")


def ended(server: subprocess.Popen[str], *clients: nanorpc.Client | aio.Client) -> None:
    """End a server, and wait until its clients know: what is called before that is lost."""
    server.kill()
    server.wait()
    end = time.monotonic() + 60
    while not all(client._line.over(client._channel) for client in clients):
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("way", ["call", "long", "future", "batch", "lease", "loan", "stats", "describe"])
def test_a_client_goes_on_with_the_next_server(start_demo: Callable[[], subprocess.Popen[str]], way: str) -> None:
    work = WAYS[way]
    server = start_demo()
    with nanorpc.connect("demo", reconnect=60) as client, nanorpc.connect("demo") as other:
        work(client, None)
        kept = client.loan("echo", 100_000)
        in_flight = client.future("sleep", b"60000")
        client.call("echo")
        ended(server, client, other)
        with pytest.raises(nanorpc.ServerGone) as caught:
            in_flight.result(60)
        assert caught.value.sent
        with pytest.raises(nanorpc.ServerGone):
            work(other, None)
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(work, client, None) for _ in range(4)]
            time.sleep(0.02)
            assert not any(one.done() for one in waiting)
            start_demo()
            for one in waiting:
                one.result(60)
        assert client.stats().connected == 1
        with pytest.raises(nanorpc.ServerGone):
            kept.send()


def test_an_ended_connection_leaves_nothing(start_demo: Callable[[], subprocess.Popen[str]]) -> None:
    async def renewed() -> None:
        server = start_demo()
        with nanorpc.connect("demo", reconnect=60) as client:
            async with aio.connect("demo", reconnect=60) as other:
                for _ in range(3):
                    client.call("echo")
                    await other.call("echo")
                    ended(server, client, other)
                    server = start_demo()
                client.call("echo")
                await other.call("echo")
                maps = Path("/proc/self/maps").read_text().splitlines()
                assert sum("memfd:nanorpc" in line or "/dev/shm" in line for line in maps) == 4  # two connections, each mapped by Go and by Python
        ended(server)

    asyncio.run(renewed())


def test_methods_are_those_of_the_next_server(start_demo: Callable[[], subprocess.Popen[str]], directory: Path) -> None:
    first, second = nanorpc.Service("changing"), nanorpc.Service("changing")

    @first.method(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    @second.method(name="add")
    def subtract(b: int, a: int) -> int:
        return a - b

    with nanorpc.Server(first):
        client = nanorpc.connect("changing", reconnect=60)
        method = client.add
        assert method(3, b=5) == 8
    with client, nanorpc.Server(second):
        assert method(3, 5) == 2
        assert method(3, a=5) == 2
        assert [parameter.name for parameter in method.info.parameters] == ["b", "a"]


@pytest.mark.parametrize("way", ["call", "long", "future", "batch", "lease", "loan", "method", "stats", "describe"])
def test_who_waits_gives_up(start_demo: Callable[[], subprocess.Popen[str]], way: str) -> None:
    work = WAYS[way]
    server = start_demo()
    with nanorpc.connect("demo", reconnect=0.05) as hasty, nanorpc.connect("demo", reconnect=3600) as patient:
        ended(server, hasty, patient)
        with pytest.raises(nanorpc.ServerGone, match=r"no other for 0\.05 s"):
            work(hasty, None)
        with pytest.raises(nanorpc.DeadlineExceeded):
            work(patient, 0.02)
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                work(patient, None)
            except BaseException as error:
                outcome.append(error)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        patient.close()
        for thread in threads:
            thread.join(60)
        assert [type(error) for error in outcome] == [nanorpc.ClientClosed] * 3


MORTAL = """
import os, sys, threading, time, nanorpc
service = nanorpc.Service("mortal")
@service.method(idempotent=True)
def look() -> str:
    return sys.argv[1] if sys.argv[1] != "dies" else os._exit(3)
@service.method
def pay() -> str:
    return look()
with nanorpc.Server(service):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("method", ["look", "pay"])
def test_idempotent_methods_are_tried_with_the_next_server(start: Start, method: str) -> None:
    start(sys.executable, "-c", MORTAL, "dies")
    with nanorpc.connect("mortal", reconnect=60) as client, ThreadPoolExecutor() as pool:
        call = pool.submit(getattr(client, method).options(retries=3))
        over = pool.submit(lambda: [time.sleep(0.001) for _ in iter(lambda: client._line.over(client._channel), True)])
        over.result(60)
        start(sys.executable, "-c", MORTAL, "lives")
        if method == "look":
            assert call.result(60) == "lives"
        else:
            with pytest.raises(nanorpc.ServerGone):
                call.result(60)


def test_idempotent_coroutines_are_tried_with_the_next_server(start: Start) -> None:
    async def main() -> None:
        async with aio.connect("mortal", reconnect=60) as client:
            call = asyncio.create_task(client.look.options(retries=3)())
            while not client._line.over(client._channel):
                await asyncio.sleep(0.001)
            start(sys.executable, "-c", MORTAL, "lives")
            assert await asyncio.wait_for(call, 60) == "lives"

    start(sys.executable, "-c", MORTAL, "dies")
    asyncio.run(main())


@pytest.mark.parametrize("value", [0, -1, float("nan"), "long"])
def test_a_patience_that_cannot_be(demo: subprocess.Popen[str], value: Any) -> None:
    for connect in (nanorpc.connect, aio.connect):
        with pytest.raises(nanorpc.InvalidOption, match="reconnect="):
            connect("demo", reconnect=value)


def test_connecting_does_not_wait(directory: Path) -> None:
    with pytest.raises(nanorpc.ServerNotFound):
        nanorpc.connect("demo", reconnect=3600)


def test_asyncio_clients_go_on(start_demo: Callable[[], subprocess.Popen[str]]) -> None:
    async def loaned(client: aio.Client) -> Any:
        return await (await client.loan("echo", 10)).send()

    ways: list[Callable[[aio.Client], Any]] = [lambda client: client.call("echo", b"x"), loaned, lambda client: client.stats()]

    async def main() -> None:
        server = start_demo()
        async with aio.connect("demo", reconnect=60) as client, aio.connect("demo") as other:
            for work in ways:
                await work(client)
                in_flight = [asyncio.create_task(client.call("sleep", b"60000")) for _ in range(400)]  # more than there are slots
                assert await other.call("echo") == b""
                await asyncio.sleep(0.05)
                queued = [asyncio.create_task(work(client)) for _ in range(100)]
                await asyncio.sleep(0.01)
                ended(server, client, other)
                results = await asyncio.wait_for(asyncio.gather(*in_flight[:256], return_exceptions=True), 60)
                assert {type(result) for result in results} == {nanorpc.ServerGone}
                with pytest.raises(nanorpc.ServerGone):
                    await other.call("echo")
                other.close()
                await asyncio.sleep(0.02)
                assert not any(task.done() for task in queued)
                server = start_demo()
                await asyncio.wait_for(asyncio.gather(*queued), 60)
                other = await aio.connect("demo")
                for task in in_flight[256:]:  # sent to the next server, as they had not been before
                    assert not task.done()
                    task.cancel()
            other.close()

    asyncio.run(main())


def test_asyncio_clients_give_up(start_demo: Callable[[], subprocess.Popen[str]]) -> None:
    async def main() -> None:
        server = start_demo()
        async with aio.connect("demo", reconnect=0.05) as hasty, aio.connect("demo", reconnect=3600) as patient:
            ended(server, hasty, patient)
            with pytest.raises(nanorpc.ServerGone, match=r"no other for 0\.05 s"):
                await hasty.call("echo")
            with pytest.raises(nanorpc.DeadlineExceeded):
                await patient.call("echo", timeout=0.02)
            cancelled = asyncio.create_task(patient.call("echo"))
            waiting = [asyncio.create_task(patient.call("echo")) for _ in range(3)]
            await asyncio.sleep(0.02)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            patient.close()
            results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
            assert {type(result) for result in results} == {nanorpc.ClientClosed}

    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 60  # asyncio.run waits for the thread that connects


def test_a_loop_ends_while_a_client_waits(start_demo: Callable[[], subprocess.Popen[str]]) -> None:
    async def main() -> None:
        server = start_demo()
        client = await aio.connect("demo", reconnect=3600)
        ended(server, client)
        task = asyncio.create_task(client.call("echo"))
        await asyncio.sleep(0.02)
        assert not task.done()
        clients.append(client)

    clients: list[aio.Client] = []
    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 60
    clients.pop().close()


def test_a_client_that_nobody_refers_to_does_not_connect(start_demo: Callable[[], subprocess.Popen[str]]) -> None:
    server = start_demo()
    clients = [nanorpc.connect("demo", reconnect=60)]
    line = clients[0]._line
    ended(server, clients[0])
    with pytest.warns(ResourceWarning):
        clients.clear()
    assert line.given_up.is_set()
    with pytest.raises(nanorpc.ClientClosed):
        line.call("echo")
