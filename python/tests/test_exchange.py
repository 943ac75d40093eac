"""Calls with bytes, which one function of C makes at each end, and every way out of these functions."""

from __future__ import annotations

import ctypes
import inspect
import random
import subprocess
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc._answers import Segments
from nanorpc._channel import Channel
from nanorpc._loader import core
from nanorpc._worker import COPIED_TO, Worker

INLINE = 224
KEPT = 1 << 16  # replies from this length on may be kept where they lie
AllFree = Callable[[nanorpc.Client], None]
service = nanorpc.Service("short")


class Bytes(bytes):
    pass


REPLIES: dict[bytes, Any] = {
    b"none": None,
    b"bytearray": bytearray(b"abc"),
    b"own": Bytes(b"abc"),
    b"long": bytes(INLINE + 1),
    b"huge": bytes(1 << 22),
    b"longer": memoryview(bytes(100_000)),
    b"wrong": 3,
}


@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request


@service.method(raw=True)
def length(request: bytes) -> bytes:
    return b"%d" % len(request)


@service.method(raw=True)
def zeros(request: bytes) -> bytes:
    return bytes(int(request))


@service.method
def size(text: str) -> int:
    return len(text)


@service.method(raw=True)
def one_of(request: bytes) -> Any:
    return REPLIES[request]


@service.method(raw=True)
def leave(request: bytes) -> bytes:
    raise SystemExit(request.decode())


@service.method(raw=True)
def interrupted(request: bytes) -> bytes:
    raise KeyboardInterrupt


@service.method(raw=True)
def pause(request: bytes) -> bytes:
    time.sleep(float(request))
    return request


@service.method(raw=True)
def in_place(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
    reply.view(len(request))[:] = request.view


@service.method(raw=True)
def with_context(request: bytes, context: nanorpc.Context) -> bytes:
    return request


@service.method
def add(a: int, b: int = 1) -> int:
    return a + b


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client], elsewhere: list[str]) -> nanorpc.Client:  # after elsewhere: it keeps functions
    client = serve(service, traceback=True)
    client.call("same")  # now there is an idle slot, and the method's number is known
    elsewhere.clear()
    return client


@pytest.fixture
def small(serve: Callable[..., nanorpc.Client], elsewhere: list[str]) -> nanorpc.Client:
    """A client whose requests have 64 KiB of memory together, and so have their replies."""
    client = serve(service, arena=1 << 16, max_payload=1 << 15)
    client.call("same")
    elsewhere.clear()
    return client


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that have dealt with a call because C has not."""
    called: list[str] = []

    def watch(owner: type, name: str) -> None:
        function = getattr(owner, name)

        def watched(*args: Any) -> Any:
            called.append(name)
            return function(*args)

        monkeypatch.setattr(owner, name, watched)

    for name in ("_call_otherwise", "_conclude"):
        watch(Channel, name)
    for name in ("_run", "_reply", "_fail"):
        watch(Worker, name)
    return called


def test_c_knows_what_is_short() -> None:
    assert core().pycore_InlineCapacity() == INLINE


@pytest.mark.parametrize("length", [0, 1, 64, INLINE - 1, INLINE, INLINE + 1, 5000, KEPT - 1, KEPT, 1_000_000, 5_000_000])
def test_calls_with_bytes_are_made_in_c(client: nanorpc.Client, elsewhere: list[str], all_slots_are_free: AllFree, length: int) -> None:
    payload = random.Random(length).randbytes(length)
    for method in ("length", "zeros"):
        client.call(method, b"1")  # now their numbers are known
    elsewhere.clear()
    for _ in range(3):
        assert client.call("same", payload) == payload
        assert client.call("same", payload, timeout=60) == payload
        assert client.call("length", payload) == b"%d" % length
        assert client.call("zeros", b"%d" % length) == bytes(length)
    assert not elsewhere
    all_slots_are_free(client)


def test_so_are_those_with_types(client: nanorpc.Client, elsewhere: list[str]) -> None:
    assert client.size("") == 0
    elsewhere.clear()
    for length in (COPIED_TO // 2, COPIED_TO * 2):
        assert client.size("x" * length) == length
        with pytest.raises(nanorpc.BadRequest):
            client.size(b"x" * length)
    assert not {"_run", "_reply"} & set(elsewhere)


def test_there_is_no_room_for_a_while(small: nanorpc.Client, elsewhere: list[str]) -> None:
    payload = bytes(30_000)
    assert small.call("same", payload) == payload
    loans = [small.loan("same", 30_000) for _ in range(2)]  # all of the room for requests
    with pytest.raises(nanorpc.DeadlineExceeded) as raised:
        small.call("same", payload, timeout=0.05)
    assert not raised.value.sent
    assert elsewhere == ["_call_otherwise"]
    threading.Timer(0.1, loans.clear).start()
    assert small.call("same", payload, timeout=60) == payload


def test_payloads_that_are_too_large(small: nanorpc.Client) -> None:
    for _ in range(3):
        with pytest.raises(nanorpc.PayloadTooLarge) as raised:
            small.call("same", bytes(40_000))
        assert not raised.value.sent
        with pytest.raises(nanorpc.PayloadTooLarge):
            small.call("one_of", b"huge")
        assert small.call("same", bytes(32_000)) == bytes(32_000)


def test_so_are_those_of_clients_that_reconnect(client: nanorpc.Client, elsewhere: list[str]) -> None:
    with nanorpc.connect("short", reconnect=1, timeout=60) as other:
        for one in (client, other):

            def calls(one: nanorpc.Client = one) -> list[Any]:
                return [one.add(2), one.add(2, b=3), one.add.options(timeout=60, retries=1)(3), one.call("same", b"abc"), one.call("one_of", b"none")]

            expected = [3, 5, 4, b"abc", b""]
            assert calls() == expected  # asks for the names of arguments, which is long
            elsewhere.clear()
            assert calls() == expected
            assert elsewhere == []


@pytest.mark.parametrize("payload", [bytearray(b"abc"), memoryview(b"abc"), Bytes(b"abc"), bytearray(5000)])
def test_requests_that_are_no_bytes(client: nanorpc.Client, elsewhere: list[str], all_slots_are_free: AllFree, payload: Any) -> None:
    for _ in range(3):
        assert client.call("same", payload) == payload
    assert elsewhere.count("_call_otherwise") == 3
    elsewhere.clear()
    assert client.call("same", b"x") == b"x"
    assert elsewhere == []
    all_slots_are_free(client)


@pytest.mark.parametrize("kind", [kind for kind in REPLIES if kind != b"wrong"])
def test_replies_of_all_kinds(client: nanorpc.Client, elsewhere: list[str], all_slots_are_free: AllFree, kind: bytes) -> None:
    for _ in range(3):
        elsewhere.clear()
        assert client.call("one_of", kind) == bytes(REPLIES[kind] or b"")
        assert ("_reply" in elsewhere) == (not isinstance(REPLIES[kind], bytes | None) or type(REPLIES[kind]) is Bytes)
        assert client.call("same", b"x") == b"x"
    all_slots_are_free(client)


def test_what_methods_raise_has_their_type_and_traceback(client: nanorpc.Client, elsewhere: list[str], all_slots_are_free: AllFree) -> None:
    for _ in range(3):
        for method, payload, kind, line in (
            ("leave", b"3", "SystemExit", "raise SystemExit(request.decode())"),
            ("interrupted", b"", "KeyboardInterrupt", "raise KeyboardInterrupt"),
            ("one_of", b"unknown", "KeyError", "return REPLIES[request]"),
            ("one_of", b"wrong", "TypeError", "memoryview(payload)"),
        ):
            elsewhere.clear()
            with pytest.raises(nanorpc.RemoteError) as raised:
                client.call(method, payload)
            assert (raised.value.type, {"_reply" if payload == b"wrong" else "_fail", "_conclude"} - set(elsewhere)) == (kind, set())
            assert line in str(raised.value.traceback)
        assert client.call("same", b"x") == b"x"
    all_slots_are_free(client)


def test_the_segment_cannot_be_mapped(serve: Callable[..., nanorpc.Client], monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors are scarce, say: the caller is told, by the method that needs the map, and the worker goes on."""
    of = Segments.of
    failing = True

    def scarce(segments: Segments, connection: int) -> Any:
        if failing:
            raise OSError("too many open files")
        return of(segments, connection)

    monkeypatch.setattr(Segments, "of", scarce)
    client = serve(service, workers=1)
    calls: list[Callable[[], object]] = [
        lambda: client.call("in_place", bytes(1000)),
        lambda: client.call("in_place", b"short"),
        lambda: client.call("with_context", b"short"),
        lambda: client.call("one_of", b"bytearray"),
        lambda: client.size("x" * COPIED_TO),
    ]
    for failing in (True, True, False):
        for call in calls:
            if failing:
                with pytest.raises(nanorpc.RemoteError, match="too many open files"):
                    call()
            else:
                assert call()
            assert client.call("same", bytes(100_000)) == bytes(100_000)  # which needs no map of Python's


def test_unknown_methods(client: nanorpc.Client, all_slots_are_free: AllFree) -> None:
    for _ in range(3):  # from the second time on, the number is known
        with pytest.raises(nanorpc.UnknownMethod, match="'none'"):
            client.call("none", b"x")
    all_slots_are_free(client)


def test_a_timeout_that_passes(client: nanorpc.Client, elsewhere: list[str], all_slots_are_free: AllFree) -> None:
    for timeout in (0.02, 0.12):  # within the first slice, and after it
        assert client.call("pause", b"0") == b"0"
        elsewhere.clear()
        with pytest.raises(nanorpc.DeadlineExceeded, match="no reply to pause in time"):
            client.call("pause", b"0.3", timeout=timeout)
        assert elsewhere[0] == "_conclude"
    assert client.call("pause", b"0.12") == b"0.12"
    all_slots_are_free(client)


def test_the_server_goes_during_the_call(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        client.call("sleep", b"0")
        killer = threading.Timer(0.2, demo.kill)
        killer.start()
        with pytest.raises(nanorpc.ServerGone) as raised:
            client.call("sleep", b"60000")
        assert raised.value.sent
        with pytest.raises(nanorpc.ServerGone) as raised:
            client.call("sleep", b"0")
        assert not raised.value.sent
        killer.join()


def test_the_client_is_closed_during_the_call(client: nanorpc.Client) -> None:
    client.call("pause", b"0")
    closer = threading.Timer(0.1, client.close)
    closer.start()
    with pytest.raises(nanorpc.ClientClosed):
        client.call("pause", b"0.5")
    with pytest.raises(nanorpc.ClientClosed) as raised:
        client.call("pause", b"0")
    assert not raised.value.sent
    closer.join()


def test_other_threads_run_while_it_waits(client: nanorpc.Client) -> None:
    # Each call is within C until its reply is there, which another thread of this process makes.
    outcome: list[bytes] = []
    client.call("pause", b"0")
    threads = [threading.Thread(target=lambda i=i: outcome.extend(client.call("same", b"%d" % i) for _ in range(300))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcome) == sorted(b"%d" % i for i in range(8) for _ in range(300))


def test_a_request_stays_while_it_is_used(client: nanorpc.Client) -> None:
    client.call("pause", b"0")
    for i in range(20):
        expected = f"0.00{i}"
        assert client.call("pause", f"0.00{i}".encode()) == expected.encode()  # nobody but the call has these bytes


class NoTruth:
    def __bool__(self) -> bool:
        raise ZeroDivisionError


class Odd:
    def __hash__(self) -> int:
        return hash("same")

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ([], {}, 0, 0, 0, 0),
        ([], {}, 0, 0, 0, 0, 0, 0),
        ((), {}, 0, 0, 0, 0, 0),
        ([], [], 0, 0, 0, 0, 0),
        ([], {}, "0", 0, 0, 0, 0),
        ([], {}, 0, None, 0, 0, 0),
        ([], {}, 0, 0, b"", 0, 0),
        ([], {}, 0, 0, 0, 1.5, 0),
        ([], {}, 0, 0, 0, 0, None),
    ],
)
def test_wrong_use_of_exchanger(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        core().exchanger(*arguments)


@pytest.mark.parametrize(
    ("entry", "arguments", "error"),
    [
        ((0, 0), (), TypeError),
        ((0, 0), ("same", b""), TypeError),
        ((0, 0), ("same", b"", 0), TypeError),
        ((0, 0), ("same", b"", None, False), TypeError),
        ((0, 0), ("same", b"", 1 << 64, False), OverflowError),
        ((0, 0), ("same", b"", 0, NoTruth()), ZeroDivisionError),
        ((0, 0), ([], b"", 0, False), TypeError),
        ((0, 0), ("text", b"", 0, False), TypeError),
        ((0, 0), (Odd(), b"", 0, False), ZeroDivisionError),
        (3, ("same", b"", 0, False), SystemError),
        ((), ("same", b"", 0, False), IndexError),
        (("0",), ("same", b"", 0, False), TypeError),
    ],
)
def test_wrong_use_of_exchange(entry: Any, arguments: tuple[Any, ...], error: type[Exception]) -> None:
    idle = [entry]
    with pytest.raises(error):
        core().exchanger(idle, {"same": 1, "text": "1"}, 0, 0, 0, 0, 0)(*arguments)
    assert idle == [entry]


@pytest.mark.parametrize("place", range(7))
def test_wrong_use_of_caller(place: int) -> None:
    arguments: list[Any] = [core().exchanger([], {}, 0, 0, 0, 0, 0), bytearray(1), bytearray(1), print, print, print]
    assert callable(core().caller(*arguments))
    if place > 2:
        arguments.insert(place, print)
    else:
        arguments[place] = (print, bytearray(), b"0")[place]
    with pytest.raises(TypeError):
        core().caller(*arguments)


def test_calls_with_all_kinds_of_arguments(client: nanorpc.Client, elsewhere: list[str]) -> None:
    for arguments, named in (
        (("same", b"x"), {}),
        (("same", b"x"), {"timeout": None}),
        (("same",), {"payload": b"x"}),
        ((), {"payload": b"x", "method": "same"}),
        (("same", b"x"), {"timeout": 5}),
        (("same", bytearray(b"x")), {"timeout": None}),
    ):
        call: Callable[..., bytes] = client.call
        assert call(*arguments, **named) == b"x"
    for arguments, named in (((), {}), (("same", b"x", None), {}), (("same", b"x"), {"time": 3}), (("same", b"x"), {"payload": b"x"}), ((3, 4), {})):
        with pytest.raises(TypeError):
            call(*arguments, **named)
    assert str(inspect.signature(call)) == "(method, payload=b'', *, timeout=None, keep=False)"
    elsewhere.clear()
    for timeout in (None, 5, 5.0, 1e8):
        assert client.call("same", b"x", timeout=timeout) == b"x"
    assert not elsewhere
    for timeout in (1e300, float("inf"), 1 << 2000):  # unusual ones that are good, and do not stay behind as an error
        assert client.call("same", b"x", timeout=timeout) == b"x"
    for timeout in (0, -1, 1e-9, float("-inf")):
        with pytest.raises(nanorpc.DeadlineExceeded):
            client.call("pause", b"1", timeout=timeout)
    for timeout in ("1", float("nan")):
        with pytest.raises(nanorpc.InvalidOption):
            client.call("same", b"x", timeout=timeout)


def test_long_replies_are_kept_where_that_is_asked_for(client: nanorpc.Client, all_slots_are_free: AllFree) -> None:
    call: Callable[..., Any] = client._tools.call
    call("zeros", b"0")
    for keep, kind in ((False, bytes), (True, memoryview)):
        reply = call("zeros", b"%d" % KEPT, timeout=None, keep=keep)
        assert (type(reply), reply) == (kind, bytes(KEPT))
        assert call("zeros", b"%d" % (KEPT - 1), keep=keep) == bytes(KEPT - 1)
    del reply
    all_slots_are_free(client)


def test_numbers_that_are_none(client: nanorpc.Client) -> None:
    handle = client._tools.line.channel.handle
    for number, slot in ((0, 0), (-1, 0), (1 << 40, 0), (handle, -1), (handle, 256), (handle, 1 << 62)):
        entry = (slot, 0)
        assert core().exchanger([entry], {"same": 1}, number, 0, 0, 0, 0)("same", b"", 0, False) == (entry, -15)
    memory = ctypes.create_string_buffer(INLINE)
    address = ctypes.addressof(memory)
    for request, length, reply, room in (
        (0, 0, address, INLINE),
        (address, -1, address, INLINE),
        (address, 0, 0, INLINE),
        (address, 0, address, INLINE - 1),
    ):
        assert core().pycore_Exchange(handle, 0, 1, request, length, 0, reply, room, 0) == -15


def test_wrong_use_of_runner() -> None:
    box = array("q", bytes(8 * core().pycore_BoxSize()))
    memory = ctypes.create_string_buffer(INLINE)
    arguments: list[Any] = [0, box.buffer_info()[0], ctypes.addressof(memory), {}, print, print, print]
    for place in range(4):
        with pytest.raises(TypeError):
            core().runner(*arguments[:place], None, *arguments[place + 1 :])
    with pytest.raises(TypeError):
        core().runner(*arguments[:-1])
    runner = core().runner(*arguments)
    for wrong in ((), ((),), ((), ())):
        with pytest.raises(TypeError):
            runner.run(*wrong)
    assert runner.run((), (), ()) == (-15, None)
    assert (runner.place, runner.room, runner.over) == (0, 0, 1)
    refused: list[int] = []
    arguments[5] = refused.append
    assert core().runner(*arguments).reserve(8) is None  # no call runs
    assert refused == [0]
