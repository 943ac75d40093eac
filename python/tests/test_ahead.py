"""Short calls between processes: a client makes them in C, without the core, while the server looks at its slot, and a server takes those in C that
follow each other at once.

See python/packaging/slot.h and ahead.h. Whatever else comes between such calls goes another way, and none is lost, run twice, or not counted.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc._loader import core

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="on the only CPU nobody looks at a slot while the other end runs")

INLINE = 224

SERVER = """
import asyncio, itertools, threading, time, nanorpc

service = nanorpc.Service("ahead")
seen = []

@service.method(raw=True)
def note(request):
    seen.append(request)
    kind, _, rest = request.partition(b":")
    if kind == b"raise":
        raise ValueError(rest.decode())
    if kind == b"none":
        return None
    if kind == b"long":
        return rest * 300
    if kind == b"view":
        return bytearray(rest)
    if kind == b"wrong":
        return 3
    if kind == b"sleep":
        time.sleep(float(rest))
    return request

@service.method(raw=True)
def twice(request):
    return 2 * request

@service.method(raw=True)
def in_place(request, reply: nanorpc.Reply):
    reply.view(len(request))[:] = request.view

@service.method
def add(a: int, b: int) -> int:
    return a + b

@service.method
async def later(a: int) -> int:
    await asyncio.sleep(0)
    return a

@service.method
def noted() -> list[bytes]:
    return seen

if __name__ == "__main__":
    with nanorpc.Server(service, workers=WORKERS):
        print("ready", flush=True)
        threading.Event().wait()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreters that check what they do take longer than anybody looks for the next call."""
    monkeypatch.delenv("PYTHONDEVMODE", raising=False)


def serve(start: Start, workers: int = 1) -> subprocess.Popen[str]:
    return start(sys.executable, "-c", SERVER.replace("WORKERS", str(workers)))


def noted(client: nanorpc.Client) -> list[bytes]:
    seen: list[bytes] = client.noted()
    return seen


def quickly(client: nanorpc.Client, calls: int = 300) -> list[bytes]:
    """Make so many calls that follow each other at once, and return the requests."""
    requests = [b"%d" % i * (i % 40) for i in range(calls)]
    call = client.call
    replies = [call("note", request) for request in requests]  # nothing between takes longer than a server looks for the next one
    assert replies == requests
    return requests


def endlessly(client: nanorpc.Client) -> None:
    while True:
        client.call("twice", b"x")


def counted(client: nanorpc.Client, calls: int, eventually: Callable[..., None]) -> nanorpc.MethodStats:
    """Return what the server has counted of its method, when that is so many calls."""
    found: list[nanorpc.MethodStats] = []

    def enough() -> bool:
        found[:] = [m for m in client.stats().methods if m.name == "note"]
        return found[0].calls >= calls

    eventually(enough, f"{calls} calls are never counted")
    return found[0]


ODD: list[tuple[bytes, Any]] = [
    (b"raise:text", nanorpc.RemoteError),
    (b"wrong:", nanorpc.RemoteError),
    (b"none:", b""),
    (b"long:x", b"x" * 300),
    (b"long:" + b"y" * 219, b"y" * 300 * 219),
    (b"view:abc", b"abc"),
    (b"sleep:0.001", b"sleep:0.001"),
    (b"sleep:0.02", b"sleep:0.02"),
    (bytes(INLINE), bytes(INLINE)),
    (bytes(INLINE + 1), bytes(INLINE + 1)),
    (bytes(100_000), bytes(100_000)),
    (b"", b""),
]


def test_all_kinds_of_replies_between_short_ones(start: Start, eventually: Callable[..., None]) -> None:
    answered_between(start, eventually, lambda client: quickly(client, 70))


def answered_between(start: Start, eventually: Callable[..., None], others: Callable[[nanorpc.Client], list[bytes]]) -> None:
    """Make calls of all kinds, each after others that are made at once and return their requests, and see that all are run and counted."""
    serve(start)
    with nanorpc.connect("ahead") as client:
        sent: list[bytes] = []
        errors = 0
        for request, expected in ODD * 3:
            sent += others(client)
            if isinstance(expected, bytes):
                assert client.call("note", request) == expected
            else:
                errors += 1
                with pytest.raises(expected):
                    client.call("note", request)
            sent.append(request)
        assert noted(client) == sent
        counts = counted(client, len(sent), eventually)
        assert (counts.calls, counts.errors, counts.request_bytes) == (len(sent), errors, sum(map(len, sent)))


class FakeSlot(ctypes.Structure):
    """The first slot of a segment, with the words before it that a call reads."""

    _fields_ = (
        ("before", ctypes.c_char * 1032),
        ("bell", ctypes.c_uint32),
        ("between", ctypes.c_char * (4096 - 1036)),
        ("word", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
        ("method", ctypes.c_uint64),
        ("deadline", ctypes.c_int64),
        ("offset", ctypes.c_uint64),
        ("payload", ctypes.c_uint8 * INLINE),
        ("reply_word", ctypes.c_uint32),
        ("status", ctypes.c_uint32),
        ("reply_length", ctypes.c_uint32),
        ("reply_offset", ctypes.c_uint64),
        ("unused", ctypes.c_uint64),
        ("reply", ctypes.c_uint8 * INLINE),
        ("generation", ctypes.c_uint32),
    )


POLLING = 1 << 16
DONE, CLOSED = 1, 8


@pytest.mark.parametrize(
    ("word", "status", "length", "bell", "submitted", "here"),
    [
        (8 << 8 | DONE, 0, 3, POLLING, True, True),
        (8 << 8 | DONE, 0, INLINE, POLLING, True, True),
        (8 << 8 | DONE, 0, 0, POLLING, True, True),
        (8 << 8 | DONE, 0, INLINE + 1, POLLING, True, False),  # it is in the arena
        (8 << 8 | DONE, 0, (1 << 32) - 1, POLLING, True, False),
        (8 << 8 | DONE, 1, 3, POLLING, True, False),  # an error
        (7 << 8 | DONE, 0, 3, POLLING, True, False),  # that of the call before
        (8 << 8, 0, 3, POLLING, True, False),
        (8 << 8 | DONE, 0, 3, POLLING | 1, True, False),  # the server looks at another slot
        (8 << 8 | DONE, 0, 3, 1, True, False),
        (8 << 8 | DONE | CLOSED, 0, 3, POLLING, False, False),
    ],
)
def test_what_a_client_takes_for_its_reply(word: int, status: int, length: int, bell: int, submitted: bool, here: bool) -> None:
    slot = FakeSlot(bell=bell, generation=7, reply_word=word, status=status, reply_length=length, reply=(ctypes.c_uint8 * INLINE)(*range(INLINE)))
    address, entry = ctypes.addressof(slot), (0, 0)
    idle = [entry]
    exchange = core().exchanger(idle, {"method": 5}, 0, address, address + FakeSlot.generation.offset, 0, 1)
    got = exchange("method", b"request", 99, False)
    if here:
        assert got == bytes(range(INLINE))[:length]
        assert idle == [entry]
    else:
        assert got == (entry, -15)  # of the core, which knows no such client
        assert idle == []
    if submitted:
        assert (slot.word, slot.length, slot.method, slot.deadline, bytes(slot.payload[:7])) == (8 << 8 | 1, 7, 5, 99, b"request")
    assert slot.generation == 7 + submitted


CALLER = """
import random, nanorpc

rng = random.Random(3)
expected = {"note": bytes, "in_place": bytes, "twice": lambda request: 2 * request, "nothing": lambda request: b"unknown"}
with nanorpc.connect("ahead") as client:
    call = client.call
    for _ in range(400):
        methods = rng.choices(list(expected), [9, 1, 9, 1], k=50)
        calls = [(method, rng.randbytes(rng.choice([0, 8, 64, 100, 224, 225, 300]))) for method in methods]
        replies = []
        for method, request in calls:
            try:
                replies.append(call(method, request))
            except nanorpc.UnknownMethod:
                replies.append(b"unknown")
        assert replies == [expected[method](request) for method, request in calls]
"""


def test_methods_in_any_order(start: Start) -> None:
    """One call right after the other: nothing between takes longer than a server looks for the next."""
    serve(start)
    subprocess.run([sys.executable, "-c", CALLER], check=True, timeout=100)


def test_calls_that_are_not_short_between(start: Start) -> None:
    serve(start)
    with nanorpc.connect("ahead") as client:
        for i in range(200):
            quickly(client, 10)
            assert client.add(i, 1) == i + 1
            assert client.later(i) == i
            with client.loan("note", 300) as loan:
                loan.view[:] = bytes(300)
                assert bytes(loan.send()) == bytes(300)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_call_is_run_once_whatever_takes_long(start: Start, eventually: Callable[..., None], workers: int) -> None:
    """Handlers that are usually quick, and now and then are not, lose the connection to somebody else in the middle."""
    serve(start, workers)
    with nanorpc.connect("ahead") as client:
        wrong: list[object] = []

        def call(thread: int) -> None:
            rng = random.Random(thread)
            for i in range(1500):
                request = b"%d %d" % (thread, i)
                if rng.randrange(100) == 0:
                    request = b"sleep:0.00%d%d" % (rng.randrange(1, 9), 10_000 * (thread + 1) + i)
                try:
                    reply = client.call("note", request, timeout=60)
                except Exception as error:
                    reply = error  # type: ignore[assignment]
                if reply != request:
                    wrong.append((request, reply))
                    return

        threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        seen = noted(client)
        assert len(seen) == len(set(seen)) == 4500
        assert counted(client, 4500, eventually).calls == 4500


def test_who_calls_all_the_time_keeps_nobody_waiting(start: Start) -> None:
    serve(start)
    hammering = subprocess.Popen([sys.executable, "-c", "import nanorpc; client = nanorpc.connect('ahead')\nwhile True: client.call('twice', b'x')"])
    try:
        with nanorpc.connect("ahead") as client:
            for i in range(200):
                assert client.call("note", b"x", timeout=60) == b"x"
                assert client.later(i) == i  # by way of the queue of the server's only worker
                assert [client.call("twice", b"y") for _ in range(5)] == [b"yy"] * 5
    finally:
        hammering.kill()
        hammering.wait()


def test_timeouts_between_short_calls(start: Start) -> None:
    serve(start)
    with nanorpc.connect("ahead") as client:
        for _ in range(5):
            quickly(client, 50)
            with pytest.raises(nanorpc.DeadlineExceeded):
                client.call("note", b"sleep:0.1", timeout=0.01)
            assert client.call("note", b"x", timeout=60) == b"x"  # not the late reply


def unsent(client: nanorpc.Client) -> None:
    with pytest.raises(nanorpc.ServerGone) as gone:
        client.call("twice", b"x")
    assert gone.value.sent is False


def test_the_end_of_the_server_between_short_calls(start: Start) -> None:
    server = serve(start)
    with nanorpc.connect("ahead") as client:
        quickly(client)
        threading.Timer(0.05, server.kill).start()
        with pytest.raises(nanorpc.ServerGone):
            endlessly(client)
        unsent(client)


def test_a_call_after_the_end_of_the_server_is_not_sent(start: Start, eventually: Callable[..., None]) -> None:
    server = serve(start)
    with nanorpc.connect("ahead") as client:
        quickly(client)
        handle = client._tools.line.channel.handle
        server.kill()
        eventually(lambda: core().pycore_ClientOver(handle) != 0, "the client never notices")
        unsent(client)


def test_a_client_that_is_closed_between_short_calls(start: Start) -> None:
    serve(start)
    client = nanorpc.connect("ahead")
    quickly(client)
    threading.Timer(0.05, client.close).start()
    with pytest.raises(nanorpc.ClientClosed):
        endlessly(client)


def test_signals_between_short_calls(start: Start) -> None:
    serve(start)

    def interrupt(*_: object) -> None:
        raise InterruptedError

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        with nanorpc.connect("ahead") as client:
            for _ in range(10):
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                with pytest.raises(InterruptedError):
                    endlessly(client)
                assert client.call("twice", b"y") == b"yy"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_shutdown_between_short_calls(start: Start) -> None:
    server = serve(start)
    with nanorpc.connect("ahead") as client:
        quickly(client)
        threading.Timer(0.05, server.send_signal, [signal.SIGINT]).start()
        with pytest.raises(nanorpc.ServerGone):
            endlessly(client)
    assert server.wait(60) is not None


def test_waits_without_spinning(start: Start) -> None:
    serve(start)
    for spin in ("none", "busy", "adaptive"):
        with nanorpc.connect("ahead", spin=spin) as client:
            quickly(client)
            time.sleep(0.2)  # the server sleeps, and parks
            assert client.call("twice", b"x") == b"xx"
