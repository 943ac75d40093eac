"""Servers that shut down while calls are under way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nanorpc
from nanorpc import Context


class State:
    def __init__(self) -> None:
        self.service = nanorpc.Service("ending")
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.seen: list[str] = []

        @self.service.method
        def wait() -> str:
            self.begun.release()
            self.go_on.wait(100)
            return "sync"

        @self.service.method
        def watch(ctx: Context) -> str:
            self.begun.release()
            while not ctx.cancelled:
                time.sleep(0.005)
            self.seen.append("cancelled")
            return "watched"

        @self.service.method
        async def wait_later() -> str:
            self.begun.release()
            try:
                while not self.go_on.is_set():
                    await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                self.seen.append("cancelled")
                raise
            return "async"


@pytest.fixture
def state(directory: Path) -> Iterator[State]:
    state = State()
    yield state
    state.go_on.set()


def test_calls_are_answered(state: State) -> None:
    server = nanorpc.Server(state.service)
    server.start()
    with nanorpc.connect("ending") as client:
        futures = [client.wait.future(), client.wait_later.future(), client.wait.future()]
        for _ in futures:
            assert state.begun.acquire(timeout=60)
        ending = threading.Thread(target=server.shutdown, args=(60,))
        ending.start()
        while nanorpc.services():
            time.sleep(0.005)
        with pytest.raises(nanorpc.ServerNotFound):
            nanorpc.connect("ending")
        assert ending.is_alive()
        assert not any(future.done() for future in futures)
        state.go_on.set()
        assert [future.result(60) for future in futures] == ["sync", "async", "sync"]
        ending.join(60)
        assert not ending.is_alive()
        with pytest.raises(nanorpc.ServerGone):
            client.wait()
    assert state.seen == []


def test_coroutines_are_cancelled_after_the_timeout(state: State) -> None:
    server = nanorpc.Server(state.service)
    server.start()
    with nanorpc.connect("ending") as client:
        futures = [client.wait_later.future() for _ in range(20)] + [client.watch.future()]
        for _ in futures:
            assert state.begun.acquire(timeout=60)
        server.shutdown(0.2)
        for future in futures:
            with pytest.raises((nanorpc.ServerGone, nanorpc.RemoteError)):
                future.result(60)
        assert state.seen == ["cancelled"] * 21


def test_methods_that_hang_do_not_hold_it_up(state: State) -> None:
    server = nanorpc.Server(state.service, workers=8)
    server.start()
    with nanorpc.connect("ending") as client:
        futures = [client.wait.future() for _ in range(8)]
        for _ in futures:
            assert state.begun.acquire(timeout=60)
        begin = time.monotonic()
        server.shutdown(0.1)
        assert time.monotonic() - begin < 6, "each worker has had its own time"
        for future in futures:
            with pytest.raises(nanorpc.ServerGone):
                future.result(60)
        state.go_on.set()


def test_a_server_of_the_same_name_starts_meanwhile(state: State) -> None:
    server, other = nanorpc.Server(state.service), nanorpc.Server(nanorpc.Service("ending"))
    server.start()
    with nanorpc.connect("ending") as client:
        future = client.wait.future()
        assert state.begun.acquire(timeout=60)
        ending = threading.Thread(target=server.shutdown)
        ending.start()
        while nanorpc.services():
            time.sleep(0.005)
        with other, nanorpc.connect("ending") as another:
            assert another.methods() == []
            state.go_on.set()
            assert future.result(60) == "sync"
            ending.join(60)
            assert nanorpc.services() == ["ending"]
            assert another.methods() == []


PROGRAM = """
import asyncio, signal, sys, time
import nanorpc
service = nanorpc.Service("program")
@service.method
def wait() -> str:
    time.sleep(0.7)
    return "sync"
@service.method
async def wait_later() -> str:
    await asyncio.sleep(0.7)
    return "async"
@service.method
def ready() -> bool:
    return True
import threading
def tell():
    while "program" not in nanorpc.services():
        time.sleep(0.01)
    print("ready", flush=True)
threading.Thread(target=tell, daemon=True).start()
nanorpc.serve(service)
print("over", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.parametrize("number", [2, 15])
def test_serve_answers_what_it_has_begun(start: Callable[..., subprocess.Popen[str]], directory: Path, number: int) -> None:
    process = start(sys.executable, "-c", PROGRAM)
    with nanorpc.connect("program") as client:
        futures = [client.wait.future(), client.wait_later.future()]
        assert client.ready()
        process.send_signal(number)
        assert [future.result(60) for future in futures] == ["sync", "async"]
    assert process.wait(60) == 0
    assert process.stdout is not None
    assert process.stdout.read() == "over True True\n"
    assert not list(directory.glob("*.sock"))
