"""Calls whose results are fetched later."""

from __future__ import annotations

import concurrent.futures
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

import nanorpc

Check = Callable[[nanorpc.Client], None]


class Gate:
    """Methods that wait until they may go on."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.service = nanorpc.Service("futures")

        @self.service.method
        def add(a: int, b: int = 1) -> int:
            return a + b

        @self.service.method
        def array(length: int) -> np.ndarray:  # type: ignore[type-arg]
            return np.full(length, length % 256, np.uint8)

        @self.service.method
        def wait(number: int) -> int:
            self.open.wait(60)
            return number

        @self.service.method(raw=True)
        def twice(request: bytes) -> bytes:
            return request * 2


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client], gate: Gate) -> Iterator[nanorpc.Client]:
    client = serve(gate.service, workers=2)
    yield client
    gate.open.set()


def test_results(client: nanorpc.Client) -> None:
    future = client.add.future(2, b=3)
    assert isinstance(future, Future)
    assert future.result(60) == 5
    assert future.done()
    assert future.exception() is None
    assert client.future("twice", b"ab").result(60) == b"abab"
    for size in (0, 223, 225, 100_000, 1 << 20):
        assert client.future("twice", bytes(size)).result(60) == bytes(2 * size)
        got = client.array.future(size).result(60)
        assert got.shape == (size,)
        assert (got == size % 256).all()


def test_hundreds(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    futures = [client.add.future(i, i) for i in range(1000)]
    assert [future.result(60) for future in futures] == [2 * i for i in range(1000)]
    all_slots_are_free(client)


def test_several_threads(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    sums: list[int] = []

    def work(seed: int) -> None:
        futures = [client.add.future(i, seed) if i % 2 else client.future("twice", bytes(i)) for i in range(300)]
        results = [future.result(60) for future in futures]
        sums.append(sum(result - seed if isinstance(result, int) else len(result) // 2 for result in results))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sums == [300 * 299 // 2] * 8
    all_slots_are_free(client)


def test_as_completed(client: nanorpc.Client) -> None:
    futures = {client.add.future(i): i + 1 for i in range(50)}
    for future in concurrent.futures.as_completed(futures, 60):
        assert future.result() == futures.pop(future)
    assert not futures


def test_exceptions(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    for future, error in (
        (client.add.future("2"), nanorpc.BadRequest),
        (client.no_such.future(), nanorpc.UnknownMethod),
        (client.method("add", str).future(1), nanorpc.Incompatible),
        (client.future("add", b"\xff"), nanorpc.BadRequest),
    ):
        with pytest.raises(error):
            future.result(60)
        assert isinstance(future.exception(), error)
    with pytest.raises(nanorpc.PayloadTooLarge):
        client.future("twice", bytes(client.max_payload + 1))
    with pytest.raises(nanorpc.PayloadTooLarge):
        client.future("twice", bytes(client.max_payload)).result(60)
    with pytest.raises(TypeError):
        client.future("twice", "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        client.add.future(object())
    all_slots_are_free(client)


def test_cancelling_gives_the_call_up(client: nanorpc.Client, gate: Gate, all_slots_are_free: Check) -> None:
    waiting = [client.wait.future(i) for i in range(10)]
    assert all(future.cancel() for future in waiting)
    assert all(future.cancelled() for future in waiting)
    for future in waiting:
        with pytest.raises(concurrent.futures.CancelledError):
            future.result(0)
    gate.open.set()
    done = client.add.future(1)
    assert done.result(60) == 2
    assert not done.cancel()
    assert done.result() == 2
    all_slots_are_free(client)


def test_waiting_for_cancelled_ones(client: nanorpc.Client) -> None:
    future = client.wait.future(1)
    waited = threading.Event()

    def wait() -> None:
        concurrent.futures.wait([future])
        waited.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    future.cancel()
    assert waited.wait(10)
    assert list(concurrent.futures.as_completed([future], 10)) == [future]


def test_timeouts_without_any_reply(client: nanorpc.Client, gate: Gate, all_slots_are_free: Check) -> None:
    with nanorpc.connect("futures", timeout=0.1) as impatient:
        futures = [impatient.wait.future(i) for i in range(5)] + [impatient.future("wait", b"\x91\1", timeout=0.05)]
        futures += [client.wait.options(timeout=0.1).future(1)]
        for future in futures:
            with pytest.raises(nanorpc.DeadlineExceeded, match="no reply to wait in time"):
                future.result(60)
        patient = impatient.future("wait", b"\x91\7", timeout=60)
        gate.open.set()
        assert patient.result(60) == b"\7"
        all_slots_are_free(impatient)
    all_slots_are_free(client)


def test_callbacks(client: nanorpc.Client) -> None:
    got: list[Any] = []
    over = threading.Event()

    def again(future: Future[int]) -> None:
        number = future.result()
        got.append(number)
        if number < 20:
            assert client.add(number) == number + 1  # a blocking call, in the collector's thread
            client.add.future(number).add_done_callback(again)
        else:
            over.set()

    client.add.future(0).add_done_callback(again)
    assert over.wait(60)
    assert got == list(range(1, 21))


def test_callbacks_that_call_while_all_slots_are_taken(client: nanorpc.Client) -> None:
    got: list[int] = []
    over = threading.Event()

    def again(future: Future[int]) -> None:
        with client.batch() as batch:
            entry = batch.add(future.result(), 1)
        got.append(client.add(entry.result(), 1))
        if len(got) == 600:
            over.set()

    for i in range(600):  # more than there are slots: this waits for some, too
        client.add.future(i, 0).add_done_callback(again)
    assert over.wait(60)
    assert sorted(got) == [i + 2 for i in range(600)]


def test_callbacks_that_fail(client: nanorpc.Client, caplog: pytest.LogCaptureFixture) -> None:
    def fail(future: Future[int]) -> None:
        raise KeyError("in a callback")

    future = client.wait.future(1)
    future.add_done_callback(fail)
    future.cancel()
    assert client.add.future(1).result(60) == 2


def test_the_client_is_closed(client: nanorpc.Client) -> None:
    other = nanorpc.connect("futures")
    futures = [other.wait.future(i) for i in range(200)]
    other.close()
    for future in futures:
        with pytest.raises(nanorpc.ClientClosed):
            future.result(60)
    with pytest.raises(nanorpc.ClientClosed):
        other.add.future(1)
    with pytest.raises(nanorpc.ClientClosed):
        other.future("twice")


def test_the_server_dies(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        futures = [client.future("sleep", b"60000") for _ in range(200)]
        demo.kill()
        for future in futures:
            with pytest.raises(nanorpc.ServerGone):
                future.result(60)
        late = [use_of(client) for _ in range(300)]
        for error in late:
            assert isinstance(error, nanorpc.ServerGone)


def use_of(client: nanorpc.Client) -> BaseException | None:
    try:
        return client.future("echo").exception(60)
    except nanorpc.NanoRPCError as error:
        return error


def test_nobody_keeps_the_future(client: nanorpc.Client, gate: Gate, all_slots_are_free: Check) -> None:
    for i in range(200):
        client.wait.future(i)
    gate.open.set()
    all_slots_are_free(client)


def test_more_than_there_are_slots_wait(client: nanorpc.Client, gate: Gate) -> None:
    futures = [client.wait.future(i) for i in range(256)]
    with pytest.raises(nanorpc.DeadlineExceeded):
        client.future("twice", timeout=0.05)
    timer = threading.Timer(0.1, gate.open.set)
    timer.start()
    more = client.add.future(1)
    assert more.result(60) == 2
    assert [future.result(60) for future in futures] == list(range(256))
    timer.join()
