"""Views and arrays on shared memory outlive what they were made of, and give it back when they are gone."""

from __future__ import annotations

import gc
import logging
import mmap
import os
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nanorpc
from nanorpc._loader import core
from nanorpc.raw import Reply, Request

Check = Callable[[nanorpc.Client], None]
Eventually = Callable[..., None]

service = nanorpc.Service("views")
kept: list[Any] = []


@service.method
def array(length: int, fill: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(length, fill, np.uint8)


@service.method(raw=True)
def same(request: Request, reply: Reply) -> None:
    reply.view(len(request))[:] = request.view


@service.method
def keep(value: np.ndarray) -> None:  # type: ignore[type-arg]
    kept.append(value)


@service.method(raw=True)
def keep_view(request: Request, reply: Reply) -> None:
    kept.append(request.view)


@service.method(raw=True)
def keep_slice(request: Request, reply: Reply) -> None:
    kept.append(request.view[1:][1:])


@service.method(raw=True)
def keep_array(request: Request, reply: Reply) -> None:
    kept.append(request.array(np.uint8)[3:])


@service.method(raw=True)
def keep_reply(request: Request, reply: Reply) -> None:
    kept.append(reply.array(len(request), np.uint8))
    kept[-1][:] = 7


@service.method(raw=True)
def keep_reply_slice(request: Request, reply: Reply) -> None:
    view = reply.view(len(request))
    view[:] = bytes(len(request))
    kept.append(view[5:])


def mapped() -> int:
    with open("/proc/self/maps") as maps:
        return sum("memfd:nanorpc" in line or "/dev/shm" in line for line in maps)


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    kept.clear()
    return serve(service)


def views(client: nanorpc.Client, size: int, fill: int) -> dict[str, Any]:
    """Make one view of each kind, with all bytes the same."""
    lease = client.call_lease("same", bytes([fill]) * size)
    loan = client.loan("same", size)
    loan.view[:] = bytes([fill]) * size
    sent = client.loan("same", size)
    sent.view[:] = bytes([fill]) * size
    typed = client.array(size, fill)
    return {
        "lease": lease.view,
        "lease's slice of a slice": lease.view[1:-1][1:-1],
        "lease's array": lease.array(np.uint8),
        "lease's array's slice": lease.array(np.uint8, (2, size // 2))[1:, 3:],
        "memoryview of an array": memoryview(lease.array(np.uint8)[2:]),
        "loan": loan.view[3:],
        "loan's array": loan.array(np.uint8)[::2],
        "request's view": sent.view[4:],
        "request's array": sent.array(np.uint8)[4:],
        "reply": sent.send().array(np.uint8),
        "result": typed,
        "result's slice": typed[7:][::3],
    }


def check(made: dict[str, Any], fill: int) -> None:
    for name, view in made.items():
        assert bytes(view) == bytes([fill]) * len(bytes(view)), name
        assert len(bytes(view)), name


@pytest.mark.parametrize("size", [200, 300, 70_000, 1 << 20])
def test_they_outlive_the_client(client: nanorpc.Client, eventually: Eventually, size: int) -> None:
    client.call("same")
    usually = mapped()
    for end in ("close", "del"):
        other = nanorpc.connect("views")
        made = views(other, size, 3)
        more = views(other, size, 5)
        other.close()
        if end == "del":
            del other
        gc.collect()
        for _ in range(20):  # others use what is not held
            client.call("same", bytes(size))
        check(made, 3)
        check(more, 5)
        del made
        gc.collect()
        check(more, 5)
        assert mapped() > usually  # the server's may have gone by now
        del more
        eventually(lambda: mapped() == usually, "the connection's memory is still mapped")


def test_they_outlive_the_server(directory: Any, eventually: Eventually) -> None:
    server = nanorpc.Server(service)
    server.start()
    with nanorpc.connect("views") as client:
        made = views(client, 100_000, 9)
        assert mapped() > 0
        server.shutdown()
        with pytest.raises(nanorpc.ServerGone):
            client.call("same")
        gc.collect()
        check(made, 9)
    del made
    del client
    eventually(lambda: mapped() == 0)


def test_they_outlive_a_server_that_is_killed(demo: subprocess.Popen[str], eventually: Eventually) -> None:
    client = nanorpc.connect("demo")
    payload = os.urandom(1 << 20)
    lease = client.call_lease("echo", payload)
    array = lease.array(np.uint8)[1:]
    demo.kill()
    demo.wait()
    with pytest.raises(nanorpc.ServerGone):
        client.call("echo")
    assert bytes(lease) == payload
    client.close()
    lease.release()
    gc.collect()
    assert array.tobytes() == payload[1:]
    del array, lease, client
    eventually(lambda: mapped() == 0)


@pytest.mark.parametrize("size", [10, 70_000, 1 << 20])
def test_slots_come_back(client: nanorpc.Client, all_slots_are_free: Check, size: int) -> None:
    for _ in range(3):
        made = [views(client, max(size, 16), 1) for _ in range(20)]
        check(made[7], 1)
        del made
        gc.collect()
        all_slots_are_free(client)


def test_memory_comes_back(serve: Callable[..., nanorpc.Client], all_slots_are_free: Check) -> None:
    client = serve(service, arena=8 << 20, max_payload=4 << 20)
    for _ in range(20):  # many times what there is
        made = views(client, 1 << 20, 1)
        check(made, 1)
    del made
    all_slots_are_free(client)


def test_results_are_copied_when_many_are_kept(client: nanorpc.Client, all_slots_are_free: Check) -> None:
    arrays = [client.array(70_000, i % 256) for i in range(300)]
    assert client.array(10, 3).tolist() == [3] * 10
    for i, one in enumerate(arrays):
        assert (one == i % 256).all()
    del arrays, one
    all_slots_are_free(client)


def test_results_are_copied_when_they_take_much_room(serve: Callable[..., nanorpc.Client], all_slots_are_free: Check) -> None:
    client = serve(service, arena=16 << 20, max_payload=4 << 20, client={"timeout": 20})
    arrays = [client.array(3 << 20, i % 256) for i in range(30)]
    assert (client.array(3 << 20, 7) == 7).all()
    for i, one in enumerate(arrays):
        assert (one == i % 256).all()
    del arrays, one
    all_slots_are_free(client)


def test_results_are_read_only(client: nanorpc.Client) -> None:
    lease = client.call_lease("same", bytes(100_000))
    with pytest.raises(TypeError, match="read-only"):
        lease.view[0] = 1
    for array in (lease.array(np.uint8), lease.array(np.uint8, (10, 10)), client.array(100_000, 0), client.array(5, 0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_requests_are_read_only_at_the_server(serve: Callable[..., nanorpc.Client]) -> None:
    other = nanorpc.Service("writers")

    @other.method(raw=True)
    def by_view(request: Request, reply: Reply) -> None:
        request.view[0] = 1

    @other.method(raw=True)
    def by_array(request: Request, reply: Reply) -> None:
        request.array(np.uint8)[0] = 1

    @other.method
    def typed(value: np.ndarray) -> None:  # type: ignore[type-arg]
        value[0] = 1

    client = serve(other)
    for size in (100, 100_000):
        for method in ("by_view", "by_array"):
            with pytest.raises(nanorpc.RemoteError, match="read-only"):
                client.call(method, bytes(size))
        with pytest.raises(nanorpc.RemoteError, match="read-only"):
            client.typed(np.zeros(size))


@pytest.mark.parametrize("method", ["keep", "keep_slice", "keep_array", "keep_reply", "keep_reply_slice"])
def test_methods_that_keep_views_are_warned_of_once(client: nanorpc.Client, caplog: pytest.LogCaptureFixture, method: str) -> None:
    with caplog.at_level(logging.WARNING, "nanorpc.server"):
        for i in range(3):
            if method == "keep":
                client.keep(np.full(100_000, i, np.uint8))
            else:
                client.call(method, bytes([i]) * 100_000)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"method {method} of views keeps" in caplog.text
    client.close()
    gc.collect()
    assert all(len(bytes(one)) for one in kept)  # whatever they show
    kept.clear()


def test_a_view_that_is_kept_is_released(client: nanorpc.Client, caplog: pytest.LogCaptureFixture) -> None:
    client.call("keep_view", bytes(100_000))
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])
    assert not caplog.records


def test_small_arrays_are_the_methods_own(client: nanorpc.Client, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(20):
        client.keep(np.full(10, i))
    assert [array.tolist() for array in kept] == [[i] * 10 for i in range(20)]
    assert not caplog.records


def test_methods_that_keep_nothing_are_not_warned_of(client: nanorpc.Client, caplog: pytest.LogCaptureFixture) -> None:
    for size in (10, 100_000):
        assert len(client.call("same", bytes(size))) == size
        with pytest.raises(nanorpc.BadRequest):
            client.keep(np.zeros(size), 3)
        with pytest.raises(nanorpc.BadRequest):
            client.keep([np.zeros(size)])
    assert not caplog.records


@pytest.mark.parametrize("length", [225, 5000, 1 << 16])
def test_a_view_of_the_last_bytes_of_a_segment(length: int) -> None:
    segment = mmap.mmap(-1, 1 << 18)
    segment[-length:] = os.urandom(length)
    gone: list[bool] = []
    view = core().pin(segment, len(segment) - length, length, True, lambda: gone.append(True))
    assert view == segment[-length:]
    assert len(view) == length
    del view
    gc.collect()
    assert gone


def test_a_pin_refuses_what_does_not_lie_within_the_map() -> None:
    segment = mmap.mmap(-1, 1 << 16)
    gone: list[bool] = []
    for offset, length in ((-1, 1), (0, -1), (0, (1 << 16) + 1), (1 << 16, 1), (1 << 62, 1 << 62), (1 << 70, 1)):
        with pytest.raises(ValueError, match=r"lie within a map|cannot fit"):
            core().pin(segment, offset, length, True, lambda: gone.append(True))
    assert not gone  # nobody has been told of what has not been
    assert core().pin(segment, 1 << 16, 0, False, None) == b""
    segment.close()  # nothing holds it


def test_a_pin_holds_its_map_and_is_read_only_where_that_was_asked_for() -> None:
    segment = mmap.mmap(-1, 1 << 16)
    view = core().pin(segment, 8, 8, False, None)
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1
    with pytest.raises(BufferError):
        segment.close()
    del view
    segment.close()


def test_what_a_pin_calls_is_called_once_also_in_a_cycle_and_with_an_exception_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    segment = mmap.mmap(-1, 1 << 16)
    gone: list[str] = []

    class Holder:
        def unused(self) -> None:
            gone.append("cycle")

    holder: Any = Holder()
    holder.view = core().pin(segment, 0, 8, True, holder.unused)
    del holder
    assert not gone
    gc.collect()
    assert gone == ["cycle"]

    def with_exception() -> None:
        view = core().pin(segment, 0, 8, True, lambda: gone.append("exception"))
        raise KeyError(view[0])

    with pytest.raises(KeyError):
        with_exception()
    gc.collect()
    assert gone == ["cycle", "exception"]

    printed: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: printed.extend((unraisable.exc_type, unraisable.object)))
    view = core().pin(segment, 0, 8, True, lambda: 1 // 0)
    del view
    assert printed == [ZeroDivisionError, type(core().pin(segment, 0, 8, True, None).obj)]  # and not what was called, which may have a slot
    segment.close()
