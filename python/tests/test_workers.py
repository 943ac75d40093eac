"""Servers with several workers, clients and services."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc import Context, aio

CLIENT = """
import hashlib, os, random, sys
import nanorpc
generator = random.Random(int(sys.argv[1]))
with nanorpc.connect("many", timeout=100) as client:
    print("ready", flush=True)
    for i in range(150):
        payload = generator.randbytes(generator.choice([0, 10, 224, 225, 3000, 200_000]))
        digest = hashlib.sha256(payload).digest()
        assert client.call("digest", payload) == digest
        assert client.digest_typed(payload) == digest
        future = client.digest_later.future(payload)
        with client.batch() as batch:
            entries = [batch.call("digest", payload) for _ in range(3)]
        assert [entry.result() for entry in entries] == [digest] * 3
        assert future.result() == digest
        assert client.who() == os.getpid()
print("done")
"""


def many() -> nanorpc.Service:
    import hashlib

    service = nanorpc.Service("many")

    @service.method(raw=True)
    def digest(request: bytes) -> bytes:
        return hashlib.sha256(request).digest()

    @service.method
    def digest_typed(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    @service.method
    async def digest_later(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    @service.method
    def who(ctx: Context) -> int:
        return ctx.peer.pid

    return service


@pytest.mark.parametrize("workers", [1, 4])
def test_eight_client_processes(directory: Any, workers: int) -> None:
    with nanorpc.Server(many(), workers=workers):
        clients = [subprocess.Popen([sys.executable, "-c", CLIENT, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(8)]
        try:
            assert [client.communicate(timeout=200)[0] for client in clients] == ["ready\ndone\n"] * 8
        finally:
            for client in clients:
                client.kill()
                client.wait()


def test_a_slow_method_does_not_hold_up_others(serve: Callable[..., nanorpc.Client]) -> None:
    service = nanorpc.Service("slow")
    go_on = threading.Event()
    inside = threading.Semaphore(0)

    @service.method
    def wait() -> int:
        inside.release()
        go_on.wait(100)
        return 1

    @service.method
    def add(a: int) -> int:
        return a + 1

    client = serve(service, workers=3, client={"timeout": 60})
    futures = [client.wait.future() for _ in range(2)]
    for _ in futures:
        assert inside.acquire(timeout=60)
    with nanorpc.connect("slow", timeout=60) as other:
        for i in range(200):
            assert client.add(i) == other.add(i) == i + 1
    go_on.set()
    assert [future.result(60) for future in futures] == [1, 1]


@pytest.mark.parametrize("kind", ["typed", "in_place", "of_bytes", "with_context"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_methods_that_want_to_end_the_program(serve: Callable[..., nanorpc.Client], kind: str, error: type[BaseException]) -> None:
    service = nanorpc.Service("leaving")

    @service.method
    def typed() -> None:
        raise error(7)

    @service.method
    def with_context(ctx: Context) -> None:
        raise error(7)

    @service.method(raw=True)
    def of_bytes(request: bytes) -> bytes:
        raise error(7)

    @service.method(raw=True)
    def in_place(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        raise error(7)

    @service.method
    def add(a: int) -> int:
        return a + 1

    client = serve(service, workers=1, client={"timeout": 60})
    for _ in range(3):
        with pytest.raises(nanorpc.RemoteError, match=f"{error.__name__}: 7"):
            client.call(kind)
        assert client.add(1) == 2


def test_clients_that_die_with_calls_under_way(serve: Callable[..., nanorpc.Client], eventually: Callable[..., None]) -> None:
    service = nanorpc.Service("orphans")
    go_on, inside = threading.Event(), threading.Event()
    cancelled: list[bool] = []

    @service.method
    def wait(ctx: Context) -> None:
        inside.set()
        go_on.wait(100)
        cancelled.append(ctx.cancelled)

    @service.method
    def add(a: int, padding: bytes = b"") -> int:
        return a + 1

    @service.method(raw=True)
    def in_place(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.view(len(request))[:] = request.view

    program = """
import nanorpc, sys, time
client = nanorpc.connect("orphans")
futures = [client.wait.future()]
for size in (0, 10, 1000, 100_000):
    futures += [client.add.future(1, bytes(size)), client.future("in_place", bytes(size))]
print("ready", flush=True)
time.sleep(1000)
"""
    client = serve(service, workers=1, client={"timeout": 60})
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert inside.wait(60)
        process.kill()
        process.wait()
    after = client.add.future(1)  # behind those of the dead
    time.sleep(0.1)
    go_on.set()
    assert after.result(60) == 2
    assert cancelled == [True]
    eventually(lambda: len(client.stats().connections) == 1, "the dead client's connection is left")
    assert client.add(1) == 2


def test_two_services_that_call_each_other_and_themselves(directory: Any) -> None:
    front, back = nanorpc.Service("front"), nanorpc.Service("back")
    clients: dict[str, nanorpc.Client] = {}

    @back.method
    def square(number: int) -> int:
        return number * number

    @back.method
    async def square_later(number: int) -> int:
        return number * number

    @front.method
    def sum_of_squares(numbers: list[int]) -> int:
        with clients["back"].batch() as batch:
            entries = [batch.square(number) for number in numbers]
        return sum(entry.result() for entry in entries)

    loops: list[aio.Client] = []

    @front.method
    async def sum_of_squares_later(numbers: list[int]) -> int:
        import asyncio

        if not loops:
            loops.append(await aio.connect("back"))
        return sum(await asyncio.gather(*(loops[0].square_later(number) for number in numbers)))

    @front.method
    def factorial(number: int) -> int:
        return 1 if number <= 1 else number * clients["front"].factorial(number - 1)

    @front.method
    async def close_later() -> None:
        loops.pop().close()

    with (
        nanorpc.Server(front, workers=8),
        nanorpc.Server(back),
        nanorpc.connect("front", timeout=60) as one,
        nanorpc.connect("back", timeout=60) as two,
    ):
        clients.update(front=one, back=two)
        assert one.sum_of_squares([1, 2, 3]) == one.sum_of_squares_later([1, 2, 3]) == 14
        assert one.factorial(7) == 5040
        futures = [one.sum_of_squares_later.future(list(range(20))) for _ in range(50)]
        assert {future.result(60) for future in futures} == {sum(i * i for i in range(20))}
        assert nanorpc.services() == ["back", "front"]
        one.close_later()


def test_methods_registered_with_one_service_are_not_the_others(directory: Any) -> None:
    one, two = nanorpc.Service("one"), nanorpc.Service("two")
    one.method(name="name")(lambda: "one")
    two.method(name="name")(lambda: "two")
    with nanorpc.Server(one), nanorpc.Server(two), nanorpc.connect("one") as first, nanorpc.connect("two") as second:
        assert (first.name(), second.name()) == ("one", "two")


def test_restarting_under_the_same_name(directory: Any) -> None:
    service = nanorpc.Service("again")

    @service.method
    def pid() -> int:
        return os.getpid()

    server = nanorpc.Server(service)
    for _ in range(3):
        server.start()
        with pytest.raises(nanorpc.NanoRPCError, match="runs already"):
            server.start()
        with pytest.raises(nanorpc.NanoRPCError, match="runs already"):
            server.run()
        with nanorpc.connect("again") as client:
            assert client.pid() == os.getpid()
            server.shutdown()
            server.shutdown()
            with pytest.raises(nanorpc.ServerGone):
                client.pid()
        with pytest.raises(nanorpc.ServerNotFound):
            nanorpc.connect("again")


def test_restarting_after_it_was_killed(start: Callable[..., subprocess.Popen[str]]) -> None:
    program = """
import nanorpc, os, threading
service = nanorpc.Service("killed")
@service.method
def pid() -> int:
    return os.getpid()
with nanorpc.Server(service):
    print("ready", flush=True)
    threading.Event().wait()
"""
    for _ in range(2):
        process = start(sys.executable, "-c", program)
        with nanorpc.connect("killed") as client:
            assert client.pid() == process.pid
            process.send_signal(signal.SIGKILL)
            process.wait()
            with pytest.raises(nanorpc.ServerGone):
                client.pid()


def test_payload_limits(serve: Callable[..., nanorpc.Client]) -> None:
    service = nanorpc.Service("limits")

    @service.method
    def same(data: bytes) -> bytes:
        return data

    @service.method
    def large(length: int) -> bytes:
        return bytes(length)

    client = serve(service, max_payload=10_000, arena=1 << 20)
    assert client.max_payload == 10_000
    assert client.same(bytes(9000)) == bytes(9000)
    for _ in range(3):
        with pytest.raises(nanorpc.PayloadTooLarge, match="10000"):
            client.same(bytes(10_000))
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.large(10_000)
        assert client.large(9000) == bytes(9000)
    for options in ({"max_payload": 0}, {"arena": 0}, {"max_payload": 2 << 20, "arena": 1 << 20}, {"workers": 0}, {"spin": "never"}):
        with pytest.raises(nanorpc.InvalidOption):
            nanorpc.Server(nanorpc.Service("wrong"), **options).start()
