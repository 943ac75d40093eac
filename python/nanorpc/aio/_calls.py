"""Calls of one connection on one event loop."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from typing import TYPE_CHECKING, Any

from nanorpc._buffer import Parts, plain
from nanorpc._channel import LENGTH_MASK, NO_ROOM, NO_SLOT, SLOTS, Channel, deadline_after, unplace
from nanorpc._loader import check_fork, checked, forked
from nanorpc._tools import described
from nanorpc.aio._reactor import reactor_of
from nanorpc.aio.loan import Loan
from nanorpc.errors import NanoRPCError, Status, exception, status_of
from nanorpc.introspection import DESCRIBE, MethodInfo

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc._tickets import Slot

_BRIEFLY = 10_000
"""For how many ns a call waits for its reply before it leaves it to the loop: about as long as that takes. The core leaves it out where it has been
in vain."""

_AGAIN = 0.001
"""After how many seconds a call that waits for room, or for a slot that a call does not give back, looks again."""


class Calls:
    """Makes calls. Only the loop's thread uses it."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self.channel = channel
        self._loop = loop
        self._reactor = reactor_of(loop)
        self._open: dict[int, asyncio.Future[int]] = {}  # by slot: calls that the core is to tell of
        self._queue: deque[asyncio.Future[tuple[Slot, int]]] = deque()  # those that wait for a slot
        self._pairs = array("q", bytes(16 * SLOTS))
        self._start = channel.core.pycore_Start
        checked(channel.core.pycore_ClientCollect(channel.handle, self._reactor.eventfd))
        self._reactor.add(self._collect)
        self._ended = False
        self._ending: asyncio.Future[None] | None = None  # for who waits for the end
        self._looking = False  # a timer runs for _look_again
        self._methods: list[MethodInfo] | None = None

    async def call(self, method: str, payload: Buffer | Parts, timeout: float | None, keep: bool = False) -> bytes:
        """See :meth:`Client.call`, and :meth:`Channel.call` for ``keep``."""
        check_fork()
        channel = self.channel
        request: Any = payload if type(payload) is bytes else plain(payload)
        length = len(request)
        deadline = deadline_after(timeout)
        entry = None if self._queue else channel.try_take()
        if entry is None:
            entry = await self.take(deadline)
        slot, stage = entry
        submitted = False
        try:
            if length > channel.inline:
                offset = await self.reserve(slot, length, deadline)
                channel.write(offset, length, request)
            else:
                offset = 0
                channel.stage[stage : stage + length] = request
            number = channel.number(method)
            submitted = True
            result = self._start(channel.handle, slot, number, offset, length, deadline, _BRIEFLY)
            if result == -Status.PENDING:
                result = await self.wait(slot, method, deadline)
            if result < 0:
                raise channel.error(slot, result, method)
            if keep and channel.keepable(result & LENGTH_MASK):
                return channel.keep(entry, *unplace(result))  # type: ignore[no-any-return]
            reply = channel.read(slot, result)
        except BaseException as error:
            channel.drop(slot)
            if not submitted and isinstance(error, NanoRPCError):
                error.sent = False
            if self._queue:
                self._hand_over()
            raise
        channel.release(entry)
        if self._queue:
            self._hand_over()
        return reply

    async def perform(self, slot: Slot, method: str, offset: int, length: int, deadline: int) -> int:
        """Make the call of a slot whose request has been written, and return the place of the reply. After an exception the slot is still the
        caller's to drop, with its call submitted.
        """
        check_fork()
        channel = self.channel
        result: int = self._start(channel.handle, slot, channel.number(method), offset, length, deadline, _BRIEFLY)
        if result == -Status.PENDING:
            result = await self.wait(slot, method, deadline)
        if result < 0:
            raise channel.error(slot, result, method)
        return result

    async def take(self, deadline: int) -> tuple[Slot, int]:
        """Take a slot, with the offset of its stage. Waits its turn while all are in use."""
        try:
            entry = None if self._queue else self.channel.try_take()
            return await self._turn(deadline) if entry is None else entry
        except NanoRPCError as error:
            error.sent = False
            raise

    async def _turn(self, deadline: int) -> tuple[Slot, int]:
        turn: asyncio.Future[tuple[Slot, int]] = self._loop.create_future()
        self._queue.append(turn)
        if not self._looking:
            self._looking = True
            self._loop.call_later(_AGAIN, self._look_again)
        timer = self._timer(turn, deadline, NO_SLOT)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # handed over to a task that has been cancelled since
                self.channel.release(turn.result())
                self._hand_over()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def reserve(self, slot: Slot, length: int, deadline: int) -> int:
        """Return the offset for a request of any length. Waits while there is no room."""
        channel = self.channel
        result: int
        while (result := channel.core.pycore_TryReserve(channel.handle, slot, length)) == -Status.PENDING:
            if deadline and time.monotonic_ns() >= deadline:
                raise exception(Status.DEADLINE, NO_ROOM)
            channel.recover()
            await asyncio.sleep(_AGAIN)
        return channel.reserved(result, length)

    async def wait(self, slot: Slot, method: str, deadline: int) -> int:
        """Wait for a call that the core is to tell of, and return the place of its reply, or a status."""
        if asyncio.get_running_loop() is not self._loop:
            raise NanoRPCError("this client belongs to another event loop: connect in the one that uses it")
        future: asyncio.Future[int] = self._loop.create_future()
        self._open[slot] = future
        timer = self._timer(future, deadline, f"no reply to {method} in time")
        try:
            return await future
        except BaseException:
            self.channel.core.pycore_Ignore(self.channel.handle, slot)
            raise
        finally:
            self._open.pop(slot, None)
            if timer is not None:
                timer.cancel()

    async def loan(self, method: str, length: int, timeout: float | None) -> Loan:
        """See :meth:`Client.loan`."""
        if length < 0:
            raise ValueError(f"a loan of {length} bytes: use 0 or more")
        deadline = deadline_after(timeout)
        hold = self.channel.hold_slot(self.channel, await self.take(deadline))
        try:
            offset = await self.reserve(hold.slot, length, deadline)
            return Loan(self, hold, method, offset, length, timeout)
        except BaseException:
            hold.drop()  # views of it may have given it back already
            raise

    async def methods(self) -> list[MethodInfo]:
        """Return what the server says of its methods, which it is asked once."""
        if self._methods is None:
            self._methods = described(self.channel.service, await self.call(DESCRIBE, b"", None)).details
        return self._methods

    async def wait_closed(self) -> None:
        """See :meth:`Client.wait_closed`."""
        if self._ended:
            return
        if self._ending is None:
            self._ending = self._loop.create_future()
        await asyncio.shield(self._ending)  # one who is cancelled does not end it for the others

    def close(self) -> None:
        """End the connection, and all calls."""
        self.channel.close()
        if not forked():  # else the loop, with all that waits, is the parent's
            self._lose(-Status.CLOSED)

    def close_unused(self) -> None:
        """End the connection of a client that nobody refers to, in any thread. A loop of another one finds out by itself."""
        self.channel.close()
        if not forked() and (self._loop.is_closed() or asyncio._get_running_loop() is self._loop):
            self._lose(-Status.CLOSED)

    def _timer(self, future: asyncio.Future[Any], deadline: int, text: str) -> asyncio.TimerHandle | None:
        if not deadline:
            return None

        def expire() -> None:
            if not future.done():
                future.set_exception(exception(Status.DEADLINE, text))

        return self._loop.call_later(max(deadline - time.monotonic_ns(), 0) / 1e9, expire)

    def _hand_over(self) -> None:
        """Give free slots to those who wait."""
        while self._queue:
            if not self._queue[0].done():
                try:
                    entry = self.channel.try_take()
                except NanoRPCError as error:  # it is the waiting one's
                    self._queue[0].set_exception(error)
                else:
                    if entry is None:
                        return
                    self._queue[0].set_result(entry)
            self._queue.popleft()

    def _look_again(self) -> None:
        """Give free slots to those who wait: kept replies, loans and late replies give theirs back without a word."""
        self._looking = bool(self._queue) and not self._ended
        if self._looking:
            self._hand_over()
            self._loop.call_later(_AGAIN, self._look_again)

    def _collect(self) -> None:
        channel = self.channel
        while (count := channel.core.pycore_ClientFinished(channel.handle, self._pairs.buffer_info()[0], SLOTS)) > 0:
            pairs = self._pairs[: 2 * count].tolist()
            for slot, result in zip(pairs[::2], pairs[1::2], strict=True):
                future = self._open.get(slot)
                if future is not None and not future.done():
                    future.set_result(result)
        if count < 0:
            self._lose(count)

    def _lose(self, result: int) -> None:
        """End all calls: the connection has ended."""
        if self._ended:
            return
        self._ended = True
        self._reactor.remove(self._collect)
        if self._loop.is_closed():  # nobody waits any more
            return
        if self._ending is not None:
            self._ending.set_result(None)
        waiting: list[asyncio.Future[Any]] = [*self._open.values(), *self._queue]
        for future in waiting:
            if not future.done():
                future.set_exception(exception(status_of(result)))  # each has its own: whether a call has been sent differs
