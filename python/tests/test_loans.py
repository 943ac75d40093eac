"""Loans and leases: when they end, and what comes back."""

from __future__ import annotations

import gc
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nanorpc
from nanorpc._loader import core
from nanorpc.raw import Reply, Request

Check = Callable[[nanorpc.Client], None]
MAX = 1 << 20

service = nanorpc.Service("loans")
go_on = threading.Event()


@service.method(raw=True)
def same(request: Request, reply: Reply) -> None:
    reply.view(len(request))[:] = request.view


@service.method(raw=True)
def fail(request: bytes) -> bytes:
    raise KeyError("no")


@service.method(raw=True)
def wait(request: bytes) -> bytes:
    go_on.wait(60)
    return request


@service.method(raw=True)
def large(request: bytes) -> bytes:
    return bytes(int(request))


@service.method
def total(values: np.ndarray) -> int:  # type: ignore[type-arg]
    return int(values.sum())


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    go_on.clear()
    return serve(service, arena=8 << 20, max_payload=MAX)


@pytest.mark.parametrize("size", [0, 1, 224, 225, 100_000, MAX])
def test_sending(client: nanorpc.Client, all_slots_are_free: Check, size: int) -> None:
    for _ in range(3):
        with client.loan("same", size) as loan:
            assert (len(loan), len(loan.view)) == (size, size)
            loan.view[:] = bytes(i % 251 for i in range(size))
            with loan.send() as lease:
                assert len(lease) == size
                assert bytes(lease) == bytes(i % 251 for i in range(size))
    with client.same.loan(size) as loan:
        loan.array(np.uint8)[:] = 3
        assert bytes(loan.send()) == bytes([3]) * size
    all_slots_are_free(client)


def test_arrays_of_a_shape(client: nanorpc.Client) -> None:
    with client.loan("same", 8 * 1000) as loan:
        loan.array(np.float64, (10, 100))[:] = 1.5
        assert loan.array(np.float64, 20).shape == (20,)
        for wrong in ((10, 101), 1001):
            with pytest.raises(ValueError, match="buffer"):
                loan.array(np.float64, wrong)
        lease = loan.send()
    assert (lease.array(np.float64, (10, 100)) == 1.5).all()
    assert lease.array(np.float32).shape == (2000,)


def ended(memory: nanorpc.Loan | nanorpc.Lease) -> None:
    """Check that nothing can be done with it any more."""
    for use in (lambda: memory.view, lambda: memory.array(np.uint8), memory.release):
        with pytest.raises(nanorpc.Released, match="has been released or sent"):
            use()
    assert "released" in repr(memory)
    if isinstance(memory, nanorpc.Loan):
        with pytest.raises(nanorpc.Released):
            memory.send()
    else:
        with pytest.raises(nanorpc.Released):
            bytes(memory)
    assert isinstance(nanorpc.Released(), ValueError)


def test_after_the_end(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    loan = client.loan("same", 1000)
    loan.release()
    ended(loan)
    loan = client.loan("same", 1000)
    lease = loan.send()
    ended(loan)
    lease.release()
    ended(lease)
    with client.loan("same", 1000) as loan:
        pass
    ended(loan)
    with client.call_lease("same", b"x" * 1000) as lease:
        assert bytes(lease) == b"x" * 1000
    ended(lease)
    with client.loan("same", 10) as loan:
        loan.release()  # the end of the block does no harm then
    all_slots_are_free(client)


def test_dropped(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    for size in (10, 1000, MAX):
        for _ in range(100):
            client.loan("same", size)
            client.call_lease("same", bytes(size))
    all_slots_are_free(client)


def test_loans_one_after_the_other_have_one_slot(client: nanorpc.Client) -> None:
    """The slot of a loan whose call is over is the next one's, without a way through the core."""
    held = client._channel._tickets
    for _ in range(3):
        loan = client.loan("same", 300)
        loan.view[:] = bytes(300)
        with loan.send() as reply:
            assert len(reply) == 300
        del loan, reply
        assert len(held) == 1


def test_a_slot_is_given_back_once(client: nanorpc.Client) -> None:
    """Also if two threads see at the same time that nobody uses its memory any more: else two calls would have it."""
    loan = client.loan("same", 300)
    hold = loan._hold
    loan.release()
    assert len(client._channel._idle) == 1
    hold.drop()
    assert len(client._channel._idle) == 1
    for use in (lambda: hold.slot, lambda: hold.reply(1 << 32), lambda: hold.call("same", 0, 0, 0)):
        with pytest.raises(ValueError, match="given back"):
            use()


def test_wrong_use_of_holds(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    channel = client._channel
    for wrong in ((), (channel,), (channel, None), (channel, 1.5)):
        with pytest.raises(TypeError):
            channel.loan_now(*wrong)
    hold, view, offset = channel.loan(300, 0)
    for name, arguments, error in (
        ("view", (0, 1), TypeError),
        ("view", (0, "1", True), TypeError),
        ("view", (1 << 62, 1, True), ValueError),
        ("reply", ("1",), TypeError),
        ("call", ("same", offset, 300), TypeError),
        ("call", ([], offset, 300, 0), TypeError),
        ("call", ("same", offset, None, 0), TypeError),
    ):
        with pytest.raises(error):
            getattr(hold, name)(*arguments)
    assert not hold.called
    del view
    with pytest.raises(TypeError):
        channel.hold_slot(channel)
    with pytest.raises(TypeError):
        channel.hold_slot(channel, ("0", 0))
    all_slots_are_free(client)


@pytest.mark.parametrize("place", range(4))
def test_wrong_use_of_holder(place: int) -> None:
    arguments: list[Any] = [core().exchanger([], {}, 0, 0, 0, 0, 0), bytearray(1), bytearray(1), 1]
    assert len(core().holder(*arguments)) == 2
    arguments[place] = (print, bytearray(), b"0", "1")[place]
    with pytest.raises(TypeError):
        core().holder(*arguments)


@pytest.mark.parametrize("size", [10, 1000])
def test_calls_that_fail(client: nanorpc.Client, all_slots_are_free: Check, size: int) -> None:
    for _ in range(10):
        for method, error in (("fail", nanorpc.RemoteError), ("no_such", nanorpc.UnknownMethod), ("total", nanorpc.BadRequest)):
            loan = client.loan(method, size)
            loan.view[:] = b"\xff" * size
            with pytest.raises(error):
                loan.send()
            ended(loan)
            with pytest.raises(error):
                client.call_lease(method, b"\xff" * size)
    all_slots_are_free(client)


def test_timeouts(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    loan = client.loan("wait", 1000)
    with pytest.raises(nanorpc.DeadlineExceeded):
        loan.send(timeout=0.05)
    ended(loan)
    with pytest.raises(nanorpc.DeadlineExceeded):
        client.loan("wait", 1000, timeout=0.05).send()
    with pytest.raises(nanorpc.DeadlineExceeded):
        client.call_lease("wait", timeout=0.05)
    go_on.set()
    all_slots_are_free(client)


def test_an_error_that_is_kept_keeps_no_slot(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    errors = []
    for _ in range(300):
        try:
            client.loan("fail", 1000).send()
        except nanorpc.RemoteError as error:
            errors.append(error)
        try:
            client.call_lease("fail")
        except nanorpc.RemoteError as error:
            errors.append(error)
    assert len(errors) == 600
    all_slots_are_free(client)


def test_too_large(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    with pytest.raises(nanorpc.PayloadTooLarge, match=str(MAX)):
        client.loan("same", MAX + 1)
    with pytest.raises(nanorpc.PayloadTooLarge, match=str(MAX)):
        client.call_lease("same", bytes(MAX + 1))
    with pytest.raises(nanorpc.PayloadTooLarge):
        client.call_lease("large", b"%d" % (MAX + 1))
    with pytest.raises(ValueError, match="-1"):
        client.loan("same", -1)
    assert len(client.call_lease("large", b"%d" % MAX)) == MAX
    all_slots_are_free(client)


def test_waiting_for_room(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    held = []
    with pytest.raises(nanorpc.DeadlineExceeded):  # noqa: PT012
        while True:
            held.append(client.loan("same", MAX, timeout=0.05))
    assert 4 <= len(held) <= 16
    timer = threading.Timer(0.1, lambda: held.pop().release())
    timer.start()
    with client.loan("same", MAX, timeout=60) as loan:
        loan.view[:] = bytes(MAX)
    timer.join()
    held.clear()
    all_slots_are_free(client)


def test_waiting_for_a_slot(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    held: list[nanorpc.Loan | nanorpc.Lease] = [client.loan("same", 0) for _ in range(255)]
    held.append(client.call_lease("same", bytes(1000)))
    for use in (
        lambda: client.loan("same", 0, timeout=0.02),
        lambda: client.call("same", timeout=0.02),
        lambda: client.call_lease("same", timeout=0.02),
        lambda: client.future("same", timeout=0.02),
    ):
        with pytest.raises(nanorpc.DeadlineExceeded) as caught:
            use()
        assert not caught.value.sent
    timer = threading.Timer(0.1, lambda: held.pop().release())
    timer.start()
    assert client.call("same", b"x", timeout=60) == b"x"
    timer.join()
    held.clear()
    all_slots_are_free(client)


def test_the_server_has_gone(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        loan, lease = client.loan("echo", 1000), client.call_lease("echo", bytes(1000))
        demo.kill()
        with pytest.raises(nanorpc.ServerGone):
            loan.send()
        ended(loan)
        with pytest.raises(nanorpc.ServerGone):
            client.call_lease("echo")
        with pytest.raises(nanorpc.ServerGone):
            client.loan("echo", 1 << 20, timeout=60).send()
        assert bytes(lease) == bytes(1000)
        lease.release()


def test_the_client_is_closed(client: nanorpc.Client) -> None:
    other = nanorpc.connect("loans")
    loan, small, lease = other.loan("same", 1000), other.loan("same", 10), other.call_lease("same", bytes(1000))
    other.close()
    loan.view[:] = bytes([5]) * 1000
    for one in (loan, small):
        with pytest.raises(nanorpc.ClientClosed):
            one.send()
        ended(one)
    for use in (lambda: other.loan("same", 1), lambda: other.call_lease("same"), lambda: other.loan("same", 1 << 20)):
        with pytest.raises(nanorpc.ClientClosed):
            use()
    assert bytes(lease) == bytes(1000)
    del loan, small, lease
    gc.collect()
    assert client.call("same", b"x") == b"x"
