"""Calls of one client on an event loop, on one connection after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from nanorpc.aio._calls import Calls
from nanorpc.errors import DeadlineExceeded, ServerGone

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer, Parts
    from nanorpc._channel import Channel
    from nanorpc._line import Line
    from nanorpc.aio.loan import Loan
    from nanorpc.introspection import MethodInfo

Result = TypeVar("Result")


class Caller(Protocol):
    """Makes calls: see :class:`Calls`."""

    async def call(self, method: str, payload: Buffer | Parts, timeout: float | None, keep: bool = ...) -> bytes: ...
    async def loan(self, method: str, length: int, timeout: float | None) -> Loan: ...
    async def methods(self) -> list[MethodInfo]: ...
    async def wait_closed(self) -> None: ...
    def close(self) -> None: ...
    def close_unused(self) -> None: ...


class Renewing:
    """Makes calls, on the next connection when one has ended. Only the loop's thread uses it."""

    def __init__(self, line: Line, calls: Calls, loop: asyncio.AbstractEventLoop) -> None:
        self._line = line
        self._calls = calls
        self._loop = loop
        self._next: asyncio.Task[None] | None = None  # connects

    async def call(self, method: str, payload: Buffer | Parts, timeout: float | None, keep: bool = False) -> bytes:
        """See :meth:`Calls.call`."""
        return await self._persist(lambda calls, left: calls.call(method, payload, left, keep), timeout)

    async def loan(self, method: str, length: int, timeout: float | None) -> Loan:
        """See :meth:`Client.loan`."""
        return await self._persist(lambda calls, left: calls.loan(method, length, left), timeout)

    async def methods(self) -> list[MethodInfo]:
        """See :meth:`Calls.methods`."""
        return await self._persist(lambda calls, _: calls.methods(), None)

    async def wait_closed(self) -> None:
        """See :meth:`Client.wait_closed`."""
        await self._calls.wait_closed()

    async def _persist(self, work: Callable[[Calls, float | None], Awaitable[Result]], timeout: float | None) -> Result:
        """Do what needs a connection, on the next one if nothing had been sent when that one ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            calls = self._calls
            try:
                return await work(calls, timeout)
            except ServerGone as error:
                if error.sent:
                    raise
            timeout = await self._renew(calls, end)

    def close(self) -> None:
        """End the connection, and all calls."""
        self._line.given_up.set()
        self._calls.close()

    def close_unused(self) -> None:
        """See :meth:`Calls.close_unused`."""
        self._line.given_up.set()
        self._calls.close_unused()

    async def _renew(self, old: Calls, end: float | None) -> float | None:
        """Wait for the connection after one that has ended, and return how many seconds are left. One task connects for all that wait."""
        if self._calls is old:
            if self._next is None:
                self._next = self._loop.create_task(self._connect())
                self._next.add_done_callback(_retrieve)
            try:
                await asyncio.wait_for(asyncio.shield(self._next), None if end is None else end - time.monotonic())
            except asyncio.TimeoutError:
                error = DeadlineExceeded("the server has gone, and there was no other in time")
                error.sent = False
                raise error from None
        return None if end is None else end - time.monotonic()

    async def _connect(self) -> None:
        line = self._line
        assert line.patience is not None
        connecting = self._loop.run_in_executor(None, line.next, time.monotonic() + line.patience, False)
        try:
            channel: Channel = await asyncio.shield(connecting)
        except asyncio.CancelledError:  # the loop ends, and waits for the thread
            line.given_up.set()
            connecting.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().close())
            raise
        finally:
            self._next = None
        line.adopt(channel)
        try:
            self._calls = Calls(channel, self._loop)
        except BaseException:
            channel.close()
            raise


def _retrieve(task: asyncio.Task[None]) -> None:
    """Have an exception that nobody has waited for not be reported."""
    if not task.cancelled():
        task.exception()
