"""Copies of payloads: see python/packaging/copy.c."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import nanorpc
from nanorpc._loader import core
from nanorpc.aio import connect

LONG = 4 << 20
"""Bytes from which on copies are made otherwise."""

PAGES = 4 * 4096
"""Bytes that are copied at once then."""

SERVICE = "copies"
LENGTHS = [LONG - 1, LONG, LONG + 1, LONG + PAGES - 1, LONG + 3 * PAGES + 65, 16 << 20]


def content(length: int) -> bytes:
    """Return bytes of which no two pages are alike."""
    return random.Random(length).randbytes(length)


@pytest.mark.parametrize("length", [0, 1, 225, *LENGTHS])
def test_copies_are_exact_wherever_they_begin(length: int) -> None:
    memory, payload = bytearray(b"\xee" * (length + 200)), content(length + 70)
    for to, start in ((0, 0), (1, 0), (33, 7), (64, 64), (63, 1)):
        source = memoryview(payload)[start : start + length]
        core().copy(memoryview(memory)[to : to + length], source)
        assert memory[to : to + length] == source
        assert memory[:to] == b"\xee" * to
        assert memory[to + length :] == b"\xee" * (len(memory) - to - length)
        assert core().copied(payload, start, length) == source
        memory[to : to + length] = b"\xee" * length


@pytest.mark.parametrize("length", [1000, LONG])
def test_what_overlaps_is_moved(length: int) -> None:
    payload = content(length + 100)
    for to, start in ((100, 0), (0, 100), (50, 50)):
        memory = bytearray(payload)
        core().copy(memoryview(memory)[to : to + length], memoryview(memory)[start : start + length])
        assert memory[to : to + length] == payload[start : start + length]


def test_what_does_not_fit_is_refused() -> None:
    memory = bytearray(10)
    with pytest.raises(ValueError, match="9 bytes for memory of 10"):
        core().copy(memory, bytes(9))
    with pytest.raises(BufferError):
        core().copy(bytes(10), bytes(10))  # read-only
    with pytest.raises(BufferError):
        core().copy(memory, memoryview(bytes(20))[::2])
    for start, length in ((-1, 1), (0, 11), (11, 0), (5, -1), (1 << 62, 1 << 62)):
        with pytest.raises(ValueError, match="do not lie within 10"):
            core().copied(memory, start, length)
    assert core().copied(memory, 10, 0) == b""
    assert memory == bytes(10)


def test_others_run_during_a_long_copy() -> None:
    source, memory, stop = bytes(64 << 20), bytearray(64 << 20), threading.Event()
    steps = 0

    def count() -> None:
        nonlocal steps
        while not stop.is_set():
            steps += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody loses the interpreter's lock who does not release it
    thread = threading.Thread(target=count)
    thread.start()
    try:
        while not steps:
            time.sleep(0)
        before = steps
        core().copy(memory, source)
        assert steps > before
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Serve in this process, and return the directory."""
    service = nanorpc.Service(SERVICE)

    @service.method(raw=True)
    def same(request: bytes) -> bytes:
        return request

    @service.method(raw=True)
    def written(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(request.view)

    @service.method
    def mirrored(numbers: np.ndarray) -> np.ndarray:
        return numbers

    with nanorpc.Server(service, directory=tmp_path, max_payload=64 << 20):
        yield tmp_path


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("method", ["same", "written"])
def test_long_payloads_come_back_as_they_were(server: Path, method: str, length: int) -> None:
    payload = content(length)
    with nanorpc.connect(SERVICE, directory=server) as client:
        assert client.call(method, payload) == payload
        assert client.call(method, bytearray(payload)) == payload
        assert client.call(method, memoryview(payload)[1:]) == payload[1:]
        with client.call_lease(method, payload) as reply:
            assert reply.view == payload
        with client.batch() as batch:
            got = [batch.call(method, payload) for _ in range(2)]
        assert [one.result() for one in got] == [payload, payload]


def test_long_payloads_of_asyncio(server: Path) -> None:
    async def run() -> None:
        payload = content(LONG + 5)
        async with await connect(SERVICE, directory=server) as client:
            assert await client.call("written", payload) == payload

    asyncio.run(run())


@pytest.mark.parametrize("dtype", ["f4", "M8[ns]", [("a", "i4"), ("b", "S4")]])
def test_long_arrays_come_back_as_they_were(server: Path, dtype: object) -> None:
    numbers = np.frombuffer(content(LONG + 64), np.dtype(dtype))
    with nanorpc.connect(SERVICE, directory=server) as client:
        for array in (numbers, numbers[1::2], numbers.reshape(-1, 2), numbers.reshape(-1, 2).T):
            assert client.mirrored(array).tobytes() == array.tobytes()


def test_a_long_request_for_which_there_is_no_room_now_waits(tmp_path: Path) -> None:
    service = nanorpc.Service(SERVICE)

    @service.method(raw=True)
    def same(request: bytes) -> bytes:
        return request

    payload = content(LONG)
    with nanorpc.Server(service, directory=tmp_path, max_payload=LONG, arena=LONG), nanorpc.connect(SERVICE, directory=tmp_path) as client:
        loan = client.loan("same", LONG)  # all that there is
        timer = threading.Timer(0.05, loan.release)
        timer.start()
        assert client.call("same", payload, timeout=60) == payload
        timer.join()
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.call("same", payload + b"x")


@pytest.mark.parametrize("length", [0, 1, 224, 225, LONG])
def test_reply_write(server: Path, length: int) -> None:
    payload = content(length)
    with nanorpc.connect(SERVICE, directory=server) as client:
        assert client.call("written", payload) == payload


def test_reply_write_takes_any_buffer_and_once_only(tmp_path: Path) -> None:
    service = nanorpc.Service(SERVICE)

    @service.method(raw=True)
    def numbers(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(np.arange(6, dtype="u2").reshape(2, 3))

    @service.method(raw=True)
    def strided(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(np.arange(6)[::2])

    @service.method(raw=True)
    def twice(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
        reply.write(b"once")
        reply.write(b"twice")

    with nanorpc.Server(service, directory=tmp_path), nanorpc.connect(SERVICE, directory=tmp_path) as client:
        assert client.call("numbers") == np.arange(6, dtype="u2").tobytes()
        with pytest.raises(nanorpc.RemoteError, match="contiguous"):
            client.call("strided")
        with pytest.raises(nanorpc.RemoteError, match="one view"):
            client.call("twice")
        assert client.call("numbers") == np.arange(6, dtype="u2").tobytes()
        assert os.getpid() == client.describe().pid
