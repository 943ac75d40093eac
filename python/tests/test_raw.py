"""Methods that read their requests, and write their replies, in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nanorpc
from nanorpc.raw import Reply, Request

MAX = 1 << 20

service = nanorpc.Service("raw")


@service.method(raw=True)
def double(request: Request, reply: Reply) -> None:
    reply.array(len(request) // 8, np.float64)[:] = request.array(np.float64) * 2


@service.method(raw=True)
def nothing(request: Request, reply: Reply) -> None: ...


@service.method(raw=True)
def sized(request: Request, reply: Reply) -> None:
    reply.view(int(bytes(request)))[:] = b"x" * int(bytes(request))


@service.method(raw=True)
def twice(request: Request, reply: Reply) -> None:
    reply.array(10, np.uint8)[:] = 1
    reply.array(10, np.uint8)


@service.method(raw=True)
def caught(request: Request, reply: Reply) -> None:
    try:
        reply.view(MAX + 1)
    except nanorpc.PayloadTooLarge:
        for length in (3, 1000):
            try:
                reply.view(length)[:] = b"x" * length
            except nanorpc.NanoRPCError:
                continue
            raise AssertionError("two replies") from None


@service.method(raw=True)
def result(request: Request, reply: Reply) -> bytes:
    return b"this is no reply"


@service.method(raw=True)
def returned(request: bytes) -> object:
    return [memoryview(b"abc"), bytearray(b"abc"), np.arange(3, dtype=np.uint8), "text", memoryview(b"abcdef")[::2], 3][int(request)]


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    return serve(service, arena=8 << 20, max_payload=MAX, workers=1)


@pytest.mark.parametrize("count", [0, 1, 28, 29, 10_000, MAX // 8])
def test_arrays_in_place(client: nanorpc.Client, count: int) -> None:
    numbers = np.arange(count, dtype=np.float64)
    for _ in range(3):
        with client.call_lease("double", numbers) as lease:
            assert (lease.array(np.float64) == numbers * 2).all()
    assert client.call("nothing", numbers) == b""
    assert client.call("result") == b""


def test_sizes(client: nanorpc.Client) -> None:
    for size in (0, 1, 224, 225, 5000, MAX):
        assert client.call("sized", b"%d" % size) == b"x" * size


def test_wrong_requests(client: nanorpc.Client) -> None:
    for size in (3, 1001):
        with pytest.raises(nanorpc.RemoteError, match="buffer size must be a multiple of element size"):
            client.call("double", bytes(size))
    assert client.call("sized", b"3") == b"xxx"


def test_two_replies(client: nanorpc.Client) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.RemoteError, match="a reply has one view or array"):
            client.call("twice")
    assert client.call("sized", b"3") == b"xxx"


def test_replies_that_are_too_large(client: nanorpc.Client) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.call("sized", b"%d" % (MAX + 1))
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.call("caught")
        assert client.call("sized", b"3") == b"xxx"
    with pytest.raises(nanorpc.RemoteError, match="a reply of -1 bytes"):
        client.call("sized", b"-1")
    assert client.call("sized", b"3") == b"xxx"


def test_there_is_no_room_for_a_reply(client: nanorpc.Client) -> None:
    held = []
    with pytest.raises((nanorpc.SharedMemoryExhausted, nanorpc.DeadlineExceeded)):  # noqa: PT012
        while True:
            held.append(client.call_lease("sized", b"%d" % MAX, timeout=1))
    assert 4 <= len(held) <= 16
    assert client.call("sized", b"100", timeout=60) == b"x" * 100
    held.clear()
    assert client.call("sized", b"%d" % MAX, timeout=60) == b"x" * MAX


def test_what_methods_of_bytes_return(client: nanorpc.Client) -> None:
    assert [client.call("returned", b"%d" % i) for i in range(3)] == [b"abc", b"abc", b"\0\1\2"]
    for i in (3, 4, 5):
        with pytest.raises(nanorpc.RemoteError, match="TypeError"):
            client.call("returned", b"%d" % i)
    assert client.call("returned", b"0") == b"abc"
