"""Calls that are made together."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import nanorpc

service = nanorpc.Service("batches")
ran: list[int] = []


@service.method
def add(a: int, b: int = 1) -> int:
    return a + b


@service.method
def note(number: int) -> int:
    ran.append(number)
    return number


@service.method
def array(length: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(length, length % 256, np.uint8)


@service.method
def fails(number: int) -> int:
    if number % 3 == 0:
        raise ValueError(f"not {number}")
    return number


@service.method(raw=True)
def twice(request: bytes) -> bytes:
    return request + request


@service.method(raw=True)
def digest(request: bytes) -> bytes:
    return hashlib.sha256(request).digest()


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    return serve(service)


@pytest.mark.parametrize("count", [0, 1, 64, 256, 257, 1000])
def test_typed_calls(client: nanorpc.Client, count: int) -> None:
    with client.batch() as batch:
        entries = [batch.add(i, b=2 * i) if i % 2 else batch.add(i, 2 * i) for i in range(count)]
        assert len(batch) == count
    assert len(batch) == 0
    assert [entry.result() for entry in entries] == [3 * i for i in range(count)]
    assert all(entry.exception() is None for entry in entries)


@pytest.mark.parametrize("count", [1, 64, 1000])
def test_bytes(client: nanorpc.Client, all_slots_are_free: Callable[[nanorpc.Client], None], count: int) -> None:
    payloads = [b"%d" % i for i in range(count)]
    with client.batch() as batch:
        entries = [batch.call("twice", payload) for payload in payloads]
    assert [entry.result() for entry in entries] == [payload * 2 for payload in payloads]
    all_slots_are_free(client)


def test_sizes_from_nothing_to_much(client: nanorpc.Client, all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    sizes = [0, 224, 225, 112, 113, 1, 4096, 4097, 100_000]
    payloads = [os.urandom(sizes[i % len(sizes)]) for i in range(300)]
    for _ in range(2):
        with client.batch() as batch:
            entries = [batch.call("twice", payload) for payload in payloads]
        assert [entry.result() for entry in entries] == [payload * 2 for payload in payloads]
    all_slots_are_free(client)


def test_more_than_there_is_room_for(serve: Callable[..., nanorpc.Client], all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    client = serve(service, arena=8 << 20, max_payload=4 << 20)
    payloads = [os.urandom(1 << 20) for _ in range(64)]
    with client.batch(timeout=60) as batch:
        digests = [batch.call("digest", payload) for payload in payloads]
        copies = [batch.call("twice", payload) for payload in payloads[:20]]
    assert [entry.result() for entry in digests] == [hashlib.sha256(payload).digest() for payload in payloads]
    assert [entry.result() for entry in copies] == [payload * 2 for payload in payloads[:20]]
    all_slots_are_free(client)


def test_arrays(client: nanorpc.Client) -> None:
    lengths = [0, 1, 100, 5000, 1 << 20] * 20
    with client.batch() as batch:
        entries = [batch.array(length) for length in lengths]
    for length, entry in zip(lengths, entries, strict=True):
        got: Any = entry.result()
        assert got.shape == (length,)
        assert (got == length % 256).all()


def test_errors_in_the_middle(client: nanorpc.Client, all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    with client.batch() as batch:
        entries = [batch.fails(i) for i in range(400)]
        unknown = batch.no_such(1)
        wrong = batch.add("2")
        large = batch.call("twice", bytes(client.max_payload + 1))
        last = batch.add(1)
    for i, entry in enumerate(entries):
        if i % 3:
            assert entry.result() == i
        else:
            with pytest.raises(nanorpc.RemoteError, match=f"ValueError: not {i}$"):
                entry.result()
            assert isinstance(entry.exception(), nanorpc.RemoteError)
    with pytest.raises(nanorpc.UnknownMethod, match="no_such"):
        unknown.result()
    with pytest.raises(nanorpc.BadRequest, match="argument 'a'"):
        wrong.result()
    with pytest.raises(nanorpc.PayloadTooLarge):
        large.result()
    assert last.result() == 2
    all_slots_are_free(client)


def test_an_exception_inside_of_the_block_runs_nothing(client: nanorpc.Client) -> None:
    ran.clear()
    batch = client.batch()

    def add() -> None:
        with batch:
            entries.append(batch.note(1))
            raise KeyError("inside")

    entries: list[nanorpc.Entry[Any]] = []
    with pytest.raises(KeyError, match="inside"):
        add()
    with pytest.raises(nanorpc.NanoRPCError, match="has not run"):
        entries[0].result()
    assert entries[0].exception() is None
    assert client.note(2) == 2
    assert ran == [2]


def test_arguments_that_cannot_be_sent(client: nanorpc.Client) -> None:
    ran.clear()
    batch = client.batch()
    entry = batch.note(1)
    with pytest.raises(TypeError, match="cannot be sent"):
        batch.note(object())
    with pytest.raises(TypeError):
        batch.call("twice", "text")  # type: ignore[arg-type]
    assert len(batch) == 1
    batch.run()
    assert entry.result() == 1
    assert ran == [1]


def test_used_twice(client: nanorpc.Client) -> None:
    ran.clear()
    batch = client.batch()
    with batch:
        first = batch.note(1)
    with batch:
        second = batch.note(2)
    batch.run()
    batch.note(3)
    batch.run()
    assert (first.result(), first.result(), second.result()) == (1, 1, 2)
    assert ran == [1, 2, 3]


def test_beside_slots_that_are_taken(client: nanorpc.Client) -> None:
    loans = [client.loan("twice", 0) for _ in range(255)]
    with client.batch() as batch:
        entries = [batch.add(i) for i in range(20)]
    assert [entry.result() for entry in entries] == list(range(1, 21))
    loans.append(client.loan("twice", 0))
    with client.batch(timeout=0.05) as batch:
        entries = [batch.add(i) for i in range(3)]
    for entry in entries:
        with pytest.raises(nanorpc.DeadlineExceeded):
            entry.result()
    for loan in loans:
        loan.release()


class Overlap:
    """A method that ends when as many calls are in it as are wanted."""

    def __init__(self, wanted: int) -> None:
        self._barrier = threading.Barrier(wanted)

    def __call__(self) -> bool:
        try:
            self._barrier.wait(10)
        except threading.BrokenBarrierError:
            return False
        return True


def test_calls_run_side_by_side_also_after_futures(serve: Callable[..., nanorpc.Client]) -> None:
    other = nanorpc.Service("overlap")
    other.method(name="meet")(Overlap(6))

    begun = threading.Event()

    @other.method
    def one() -> int:
        begun.wait(60)
        return 1

    client = serve(other, workers=6)
    futures = [client.one.future() for _ in range(256)]  # all slots
    begun.set()
    assert sum(future.result(60) for future in futures) == 256
    with client.batch() as batch:
        entries = [batch.meet() for _ in range(6)]
    assert [entry.result() for entry in entries] == [True] * 6


def test_timeouts(demo: subprocess.Popen[str], all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    with nanorpc.connect("demo") as client:
        with client.batch(timeout=0.3) as batch:
            quick = [batch.call("echo", b"%d" % i) for i in range(10)]
            slow = [batch.call("sleep", b"1000") for _ in range(10)]
        for entry in slow:
            with pytest.raises(nanorpc.DeadlineExceeded, match="sleep"):
                entry.result()
        assert [entry.result() for entry in quick] == [b"%d" % i for i in range(10)]
        all_slots_are_free(client)


def test_the_server_dies(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        batch = client.batch()
        quick, slow = batch.call("echo", b"x"), [batch.call("sleep", b"60000") for _ in range(200)]
        thread = threading.Thread(target=batch.run)
        thread.start()
        client.call("echo", timeout=60)
        demo.kill()
        thread.join(60)
        assert not thread.is_alive()
        for entry in slow:
            with pytest.raises(nanorpc.ServerGone):
                entry.result()
        with suppress(nanorpc.ServerGone):
            assert quick.result() == b"x"
        with client.batch() as batch:
            entry = batch.call("echo")
        with pytest.raises(nanorpc.ServerGone):
            entry.result()


def test_the_client_is_closed(demo: subprocess.Popen[str]) -> None:
    client = nanorpc.connect("demo")
    batch = client.batch()
    entries = [batch.call("sleep", b"60000") for _ in range(200)]
    thread = threading.Thread(target=batch.run)
    thread.start()
    client.call("echo")
    client.close()
    thread.join(60)
    assert not thread.is_alive()
    for entry in entries:
        with pytest.raises(nanorpc.ClientClosed):
            entry.result()
    with client.batch() as batch:
        entry = batch.call("echo")
    with pytest.raises(nanorpc.ClientClosed):
        entry.result()


def test_batches_of_several_threads(client: nanorpc.Client, all_slots_are_free: Callable[[nanorpc.Client], None]) -> None:
    sums: list[int] = []

    def work(seed: int) -> None:
        for size in (1, 7, 100, 300):
            with client.batch() as batch:
                entries = [batch.add(i, seed) for i in range(size)]
            sums.append(sum(entry.result() for entry in entries) - size * seed - size * (size - 1) // 2)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sums == [0] * 32
    all_slots_are_free(client)
