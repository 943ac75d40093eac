"""Rare calls between processes: between two of them both ends sleep. Each wakes the other and sleeps in C, without the core.

See python/packaging/rare.h.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from test_ahead import CLOSED, DONE, INLINE, POLLING, FakeSlot, Start, answered_between, at_full_speed, counted, noted, quickly, serve

import nanorpc
from nanorpc._loader import core

__all__ = ["at_full_speed"]  # a fixture

AWAKE, SLEEPING, PARKED = 0, 1, 3
WAITING = 2
ENOUGH = 8  # calls in a row after which the next one is rare


class Fake:
    """A client of a server that is only memory, which sleeps whenever a call is made. The core does not know the client."""

    def __init__(self, may_sleep: int = 1) -> None:
        self.slot = FakeSlot(generation=7, reply=(ctypes.c_uint8 * INLINE)(*range(INLINE)))
        address = ctypes.addressof(self.slot)
        self.exchange = core().exchanger(idle := [(0, 0)], {"method": 5}, 0, address, address + FakeSlot.generation.offset, 0, may_sleep)
        self.idle = idle

    @property
    def ready(self) -> int:
        return int.from_bytes(ctypes.string_at(ctypes.addressof(self.slot) + 1024, 8), "little")

    def call(self, bell: int = SLEEPING, timeout: float = 0) -> object:
        self.slot.bell = bell
        self.idle[:] = [(0, 0)]
        return self.exchange("method", b"request", time.monotonic_ns() + int(timeout * 1e9) if timeout else 0, False)

    def call_often(self) -> None:
        for _ in range(ENOUGH):
            assert self.call() == LEFT

    def reply_when(self, waited: Callable[[], bool], status: int = 0, length: int = 3) -> threading.Thread:
        def reply() -> None:
            while not waited():
                time.sleep(0)
            self.slot.status, self.slot.reply_length = status, length
            self.slot.reply_word = self.slot.generation << 8 | DONE

        thread = threading.Thread(target=reply)
        thread.start()
        return thread

    def waits(self) -> bool:
        return bool(self.slot.reply_word & WAITING)


LEFT = ((0, 0), -15)  # to the core, which knows no such client


def test_the_server_is_woken_by_one_who_sees_that_it_sleeps() -> None:
    fake = Fake()
    assert fake.call() == LEFT
    assert (fake.slot.bell, fake.ready) == (AWAKE, 1)
    for bell in (AWAKE, PARKED, POLLING | 1):
        assert fake.call(bell) == LEFT
        assert fake.slot.bell == bell  # which the core rings


def test_a_rare_call_is_slept_for_without_the_core() -> None:
    fake = Fake()
    fake.call_often()
    for _ in range(1000):  # the reply comes before the wait's end, unless others have the CPU
        replying = fake.reply_when(fake.waits)
        got = fake.call()
        replying.join()
        if got == bytes(range(3)):
            return
        assert got == LEFT
        fake.slot.reply_word = 0
        fake.call_often()
    pytest.fail("no reply is seen")


@pytest.mark.parametrize(("may_sleep", "bells"), [(0, [SLEEPING]), (1, [SLEEPING, AWAKE]), (1, [SLEEPING, POLLING])])
def test_what_is_not_slept_for(may_sleep: int, bells: list[int]) -> None:
    """Calls of a client that may not, and those of which some are seen by a server that is awake."""
    fake = Fake(may_sleep)
    for _ in range(3 * ENOUGH):
        for bell in bells:
            assert fake.call(bell) == LEFT
            assert not fake.waits()


def test_a_rare_call_that_takes_long_is_left_to_the_core() -> None:
    fake = Fake()
    fake.call_often()
    assert fake.call() == LEFT
    assert fake.waits()
    fake.slot.reply_word = 0
    fake.call_often()  # as are those that follow
    assert not fake.waits()
    assert fake.call(timeout=1e-5) == LEFT
    assert fake.waits()


@pytest.mark.parametrize(("status", "length"), [(1, 3), (0, INLINE + 1), (0, (1 << 32) - 1)])
def test_what_the_core_makes_of_the_reply(status: int, length: int) -> None:
    fake = Fake()
    fake.call_often()
    replying = fake.reply_when(fake.waits, status, length)
    assert fake.call() == LEFT
    replying.join()


def test_a_closed_connection_is_not_slept_on() -> None:
    fake = Fake()
    fake.call_often()
    fake.slot.reply_word = CLOSED
    assert fake.call() == LEFT
    assert fake.slot.reply_word == CLOSED


def seldom(client: nanorpc.Client, calls: int = 2 * ENOUGH) -> list[bytes]:
    """Make so many calls, each of which finds the server asleep, and return the requests."""
    requests = [b"%d" % i * (i % 40) for i in range(calls)]
    for request in requests:
        time.sleep(0.002)
        assert client.call("note", request) == request
    return requests


def test_all_kinds_of_replies_to_rare_calls(start: Start, eventually: Callable[..., None]) -> None:
    def others(client: nanorpc.Client) -> list[bytes]:
        requests = seldom(client)
        time.sleep(0.002)
        return requests

    answered_between(start, eventually, others)


@pytest.mark.parametrize("timeout", [1e-5, 1e-4, 1e-3, 1e-2])
def test_timeouts_of_rare_calls(start: Start, timeout: float) -> None:
    serve(start)
    with nanorpc.connect("ahead") as client:
        for _ in range(3):
            seldom(client)
            time.sleep(0.002)
            with pytest.raises(nanorpc.DeadlineExceeded):
                client.call("note", b"sleep:0.05", timeout=timeout)
            assert client.call("note", b"x", timeout=60) == b"x"  # not the late reply


def test_threads_that_call_seldom(start: Start, eventually: Callable[..., None]) -> None:
    serve(start, 2)
    with nanorpc.connect("ahead") as client:
        threads = [threading.Thread(target=seldom, args=(client, 100)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(noted(client)) == 400
        assert counted(client, 400, eventually).calls == 400


def test_statistics_of_rare_calls(start: Start, eventually: Callable[..., None]) -> None:
    """They are those of now, though the server's thread tells the core of many calls at once; and what it sleeps for counts as sleeps."""
    serve(start)
    with nanorpc.connect("ahead") as client, nanorpc.connect("ahead") as watching:
        sent = len(seldom(client, 100))
        for _ in range(5):
            sent += len(seldom(client, 20))
            counted(watching, sent, eventually)
        busiest = watching.stats().connections[0]
        assert busiest.calls >= sent
        assert busiest.sleeps > 0


def test_other_calls_between_rare_ones(start: Start) -> None:
    """Those of other methods and connections, and those that come by way of the queue of the server's only worker, which sleeps."""
    serve(start)
    with nanorpc.connect("ahead") as client, nanorpc.connect("ahead") as other:
        for i in range(10):
            seldom(client)
            time.sleep(0.002)
            assert other.call("twice", b"x") == b"xx"
            seldom(client)
            time.sleep(0.002)
            assert client.later(i) == i
            assert other.later(i) == i
            seldom(client)
            assert client.add(i, 1) == i + 1


def test_calls_that_are_rare_no_more(start: Start, eventually: Callable[..., None]) -> None:
    serve(start)
    with nanorpc.connect("ahead") as client:
        total = 0
        for _ in range(5):
            total += len(seldom(client, 40)) + len(quickly(client, 2000))
        assert counted(client, total, eventually).calls == total


def test_a_method_that_takes_long_after_rare_calls(start: Start) -> None:
    """The thread that sleeps for calls loses the connection while it runs it, and others make their calls meanwhile."""
    serve(start, 2)
    with nanorpc.connect("ahead") as client:
        for _ in range(5):
            seldom(client)
            slow = threading.Thread(target=client.call, args=("note", b"sleep:0.3"))
            slow.start()
            time.sleep(0.05)
            began = time.monotonic()
            requests = seldom(client)
            assert time.monotonic() - began < 0.2 or not slow.is_alive()
            slow.join()
            assert len(requests) == 2 * ENOUGH


def test_the_end_of_a_client_between_rare_calls(start: Start, eventually: Callable[..., None]) -> None:
    serve(start)
    with nanorpc.connect("ahead") as watching:
        for _ in range(3):
            client = nanorpc.connect("ahead")
            seldom(client)
            assert watching.stats().connected == 2
            client.close()
            eventually(lambda: watching.stats().connected == 1, "the connection never ends")
        program = "import nanorpc, time; client = nanorpc.connect('ahead')\nwhile True: time.sleep(0.001); client.call('twice', b'x')"
        calling = subprocess.Popen([sys.executable, "-c", program])
        eventually(lambda: sum(m.calls for m in watching.stats().methods if m.name == "twice") > 100, "it does not call")
        calling.kill()
        calling.wait()
        eventually(lambda: watching.stats().connected == 1, "the connection never ends")


def sleepily(client: nanorpc.Client) -> None:
    while True:
        time.sleep(0.001)
        client.call("twice", b"x")


def test_the_end_of_the_server_between_rare_calls(start: Start) -> None:
    for _ in range(3):
        server = serve(start)
        with nanorpc.connect("ahead") as client:
            seldom(client)
            threading.Timer(0.05, server.kill).start()
            with pytest.raises(nanorpc.ServerGone):
                sleepily(client)


def test_a_client_that_is_closed_between_rare_calls(start: Start) -> None:
    serve(start)
    for _ in range(3):
        client = nanorpc.connect("ahead")
        seldom(client)
        threading.Timer(0.05, client.close).start()
        with pytest.raises(nanorpc.ClientClosed):
            sleepily(client)


def test_shutdown_between_rare_calls(start: Start) -> None:
    server = serve(start)
    with nanorpc.connect("ahead") as client:
        seldom(client)
        threading.Timer(0.05, server.send_signal, [signal.SIGINT]).start()
        with pytest.raises(nanorpc.ServerGone):
            sleepily(client)
    assert server.wait(60) is not None
