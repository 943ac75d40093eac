"""Replies that no thread waits for: futures."""

from __future__ import annotations

import heapq
import os
import select
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from nanorpc._buffer import Parts, plain
from nanorpc._channel import SLOTS, Channel, deadline_after, nothing
from nanorpc._loader import check_fork, checked, forked
from nanorpc.errors import NanoRPCError, Status, exception, status_of

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc._tickets import Slot


_LONG = 3_600_000.0
"""Milliseconds, an hour: what poll(2) is given at most."""


class _Call:
    """A call in flight. Whoever takes it from the collector ends it."""

    __slots__ = ("convert", "entry", "future", "method")

    def __init__(self, entry: tuple[Slot, int], method: str, future: Future[Any], convert: Callable[[bytes], Any]) -> None:
        self.entry = entry
        self.method = method
        self.future = future
        self.convert = convert


def collector_of(channel: Channel) -> Collector:
    """Return the collector of a connection, which has one, made when it is first needed."""
    if channel.collector is None:
        # In a thread, where no signal ends it halfway: the core would go on telling a collector that nobody has.
        failed: list[BaseException] = []
        maker = threading.Thread(target=_make, args=(channel, failed), name=f"nanorpc-{channel.service}-collector", daemon=True)
        maker.start()
        maker.join()
        if failed:
            raise failed[0]
        assert channel.collector is not None
    return channel.collector


def _make(channel: Channel, failed: list[BaseException]) -> None:
    try:
        with channel.making:
            if channel.collector is None:
                channel.collector = Collector(channel)
    except BaseException as error:
        failed.append(error)


class Collector:
    """Ends the futures of a client in a thread of its own, which sleeps until the core tells of replies. Its methods may be called from any
    thread.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._eventfd = os.eventfd(0, os.EFD_CLOEXEC)
        self._calls: dict[Slot, _Call] = {}
        self._lock = (
            threading.RLock()
        )  # guards calls, deadlines, and the eventfd's end. Reentrant: a future may be collected, and cancelled, anywhere
        self._ended = False
        self._over: deque[tuple[_Call, Any]] = deque()  # calls that have been taken, with the reply or an exception
        self._deadlines: list[tuple[int, Slot, _Call]] = []  # a heap
        self._pairs = array("q", bytes(16 * SLOTS))
        try:
            checked(channel.core.pycore_ClientCollect(channel.handle, self._eventfd))
        except BaseException:
            os.close(self._eventfd)
            raise
        self._thread = threading.Thread(target=self._run, name=f"nanorpc-{channel.service}-replies", daemon=True)
        channel.reap = self._reap
        self._thread.start()

    def start(self, method: str, payload: Buffer | Parts, timeout: float | None, convert: Callable[[bytes], Any]) -> Future[Any]:
        """Make a call. Blocks only while all slots are in use, or there is no room for the request."""
        check_fork()
        channel = self._channel
        payload = payload if type(payload) is bytes else plain(payload)
        length = len(payload)
        deadline = deadline_after(timeout)
        slot, _ = entry = channel.take(deadline)
        future: Future[Any] = Future()
        call = _Call(entry, method, future, convert)
        try:
            offset = channel.reserve(slot, length, deadline)
            channel.write(offset, length, payload)
            number = channel.number(method)
        except BaseException:
            channel.drop(slot)
            raise
        with self._lock:  # nobody looks for the call before it is there; and if an exception comes before that, nobody has its slot any more
            result = channel.core.pycore_Start(channel.handle, slot, number, offset, length, deadline, 0)
            if result == -Status.PENDING:
                self._calls[slot] = call
                if deadline:
                    heapq.heappush(self._deadlines, (deadline, slot, call))
        if result != -Status.PENDING:
            self._end(call, self._read(call, result))
            return future
        future.add_done_callback(lambda future: self._cancelled(slot, call) if future.cancelled() else None)
        if deadline:
            with self._lock:
                if not self._ended:
                    os.eventfd_write(self._eventfd, 1)  # for the thread to wait no longer than that
        return future

    def _take(self, slot: Slot, call: _Call) -> bool:
        """Take a call, and report whether it was there."""
        with self._lock:
            if self._calls.get(slot) is not call:
                return False
            del self._calls[slot]
            return True

    def _cancelled(self, slot: Slot, call: _Call) -> None:
        if not forked() and self._take(slot, call):
            self._channel.drop(slot)
            call.future.set_running_or_notify_cancel()  # tells those who wait for several

    def _read(self, call: _Call, result: int) -> bytes | Exception:
        """Return the reply, or the exception, of a call that has been taken, and give its slot back."""
        channel, (slot, _) = self._channel, call.entry
        if result < 0:
            try:
                return channel.error(slot, result, call.method)
            finally:
                channel.drop(slot)
        try:
            return channel.read(slot, result)
        finally:
            channel.release(call.entry)

    @staticmethod
    def _end(call: _Call, came: bytes | Exception) -> None:
        """End a call whose reply has been read."""
        future = call.future
        if not future.set_running_or_notify_cancel():
            return
        if isinstance(came, Exception):
            future.set_exception(came)
            return
        try:
            value = call.convert(came)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(value)

    def _collect(self) -> int:
        """Read the replies that have come. Returns 0, or the status of a connection that has ended."""
        channel = self._channel
        calls: dict[int, _Call] = self._calls  # type: ignore[assignment]  # a Slot is equal to its number
        while True:
            with (
                self._lock
            ):  # what the core says of a slot is of the call that is there now: after a cancellation, another one may have it at any time
                count: int = channel.core.pycore_ClientFinished(channel.handle, self._pairs.buffer_info()[0], SLOTS)
                if count <= 0:
                    return count
                finished = [(calls.pop(self._pairs[i], None), self._pairs[i + 1]) for i in range(0, 2 * count, 2)]
            self._over.extend((call, self._read(call, result)) for call, result in finished if call is not None)

    def _reap(self) -> None:
        """Give slots back, if this is called in a callback of a future: nobody else does while that waits for one."""
        if threading.current_thread() is self._thread:
            self._collect()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._eventfd, select.POLLIN)
        while True:
            if poll.poll(self._patience()):
                os.eventfd_read(self._eventfd)
            count = self._collect()
            while self._over:
                self._end(*self._over.popleft())
            if count < 0:
                self._channel.reap = nothing
                self._lose(count)
                with self._lock:
                    self._ended = True
                    os.close(self._eventfd)
                return
            self._expire()

    def _patience(self) -> float | None:
        """Return for how many ms there is no deadline."""
        with self._lock:
            while self._deadlines:
                deadline, slot, call = self._deadlines[0]
                if self._calls.get(slot) is call:
                    return min(max(deadline - time.monotonic_ns(), 0) / 1e6 + 1, _LONG)
                heapq.heappop(self._deadlines)
        return None

    def _expire(self) -> None:
        """End the calls whose deadline has passed."""
        while True:
            with self._lock:
                if not self._deadlines or self._deadlines[0][0] > time.monotonic_ns():
                    return
                _, slot, call = heapq.heappop(self._deadlines)
                if self._calls.get(slot) is not call:
                    continue
                del self._calls[slot]
            self._channel.drop(slot)
            self._fail(call, exception(Status.DEADLINE, f"no reply to {call.method} in time"))

    def _lose(self, result: int) -> None:
        """End all calls: the connection has ended."""
        with self._lock:
            calls = list(self._calls.items())
            self._calls.clear()
        for slot, call in calls:
            self._channel.drop(slot)
            self._fail(call, exception(status_of(result)))

    @staticmethod
    def _fail(call: _Call, error: NanoRPCError) -> None:
        if call.future.set_running_or_notify_cancel():
            call.future.set_exception(error)
