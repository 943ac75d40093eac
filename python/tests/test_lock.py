"""Calls beside threads that compute: who releases the interpreter's lock for each gets it back a switch interval later.

See python/packaging/lock.h.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import nanorpc

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="who waits on the only CPU keeps the other end from running")

CALLS = 400
MANY = 100_000
TURNS = 3
"""At least so many has another thread during so many calls, however fast these are."""

INTERVAL = 0.05
"""Seconds: ten times the usual switch interval, so that who waits for others in each call is told from who has been interrupted now and then."""

COMPUTING_SERVER = """
import functools, inspect, sys, threading, nanorpc

class InC(functools.partial):
    __signature__ = inspect.signature(lambda request: None)

class Turns:
    def __init__(self):
        self.count = 0
    def compute(self):
        import time
        last = time.perf_counter()
        while True:
            now = time.perf_counter()
            self.count += now - last > 0.001  # somebody else has computed
            last = now

turns = Turns()
service = nanorpc.Service("computing")
service.method(name="strip", raw=True)(STRIP)
@service.method(name="turns", raw=True)
def turns_of(request):
    return b"%d" % turns.count

sys.setswitchinterval(float(sys.argv[1]))
with nanorpc.Server(service):
    threading.Thread(target=turns.compute, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
"""

Start = Callable[..., "subprocess.Popen[str]"]


class Computing:
    """A thread that computes all the time, and counts how often others have, for a millisecond and more."""

    def __init__(self) -> None:
        self.turns = 0
        self.stopped = False

    def run(self) -> None:
        last = time.perf_counter()
        while not self.stopped:
            now = time.perf_counter()
            self.turns += now - last > 0.001
            last = now


@contextmanager
def computing(interval: float) -> Iterator[Computing]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    computing = Computing()
    thread = threading.Thread(target=computing.run)
    thread.start()
    try:
        yield computing
    finally:
        computing.stopped = True
        sys.setswitchinterval(before)
        thread.join()


def do_not_wait_for_their_turn(client: nanorpc.Client, method: str) -> bool:
    """Return whether calls take less than half of an interval each, at least in one of some rounds: on a loaded machine the other end may sleep."""

    def took() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            client.call(method, b"x")
        return time.perf_counter() - begin

    return any(took() < CALLS * INTERVAL / 2 for _ in range(5))


def start_server(start: Start, strip: str, interval: float) -> None:
    start(sys.executable, "-c", COMPUTING_SERVER.replace("STRIP", strip), str(interval))


def test_a_client_beside_a_thread_that_computes(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client, computing(INTERVAL):
        assert do_not_wait_for_their_turn(client, "echo")


@pytest.mark.parametrize("strip", ["lambda request: request.strip()", "InC(bytes.strip)"])
def test_a_server_beside_a_thread_that_computes(start: Start, strip: str) -> None:
    start_server(start, strip, INTERVAL)
    with nanorpc.connect("computing") as client:
        assert client.call("strip", b" x") == b"x"
        assert do_not_wait_for_their_turn(client, "strip")


def test_calls_that_no_bytecode_makes_let_others_compute(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client, computing(0.001) as other:
        before = other.turns
        deque(map(client.call, itertools.repeat("echo", MANY), itertools.repeat(b"x")), maxlen=0)
        assert other.turns - before >= TURNS


def test_methods_that_are_no_bytecode_let_others_compute(start: Start) -> None:
    start_server(start, "InC(bytes.strip)", 0.001)
    with nanorpc.connect("computing") as client:
        before = int(client.call("turns"))
        for _ in range(MANY):
            client.call("strip", b"x")
        assert int(client.call("turns")) - before >= TURNS
