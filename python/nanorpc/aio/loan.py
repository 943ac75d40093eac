"""Requests that are written where they lie, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanorpc._channel import deadline_after
from nanorpc.loan import Lease, Memory

if TYPE_CHECKING:
    from nanorpc._core import Hold
    from nanorpc.aio._calls import Calls


class Loan(Memory):
    """What is said of :class:`nanorpc.Loan` holds for it; :meth:`send` is awaited. Only the loop's thread uses it."""

    __slots__ = ("_calls", "_hold", "_method", "_offset", "_timeout")

    def __init__(self, calls: Calls, hold: Hold, method: str, offset: int, length: int, timeout: float | None) -> None:
        self._view = hold.view(offset, length, True)
        self._length = length
        self._hold = hold
        self._calls = calls
        self._method = method
        self._offset = offset
        self._timeout = timeout

    async def send(self, *, timeout: float | None = None) -> Lease:
        """Call the method with what has been written, and return the reply where it lies. The loan has ended then, whatever comes of the call.
        Raises what :meth:`Client.call` does, and:

        :raises Released: the loan has been released or sent.
        """
        own, self._view = self.view, None
        hold = self._hold
        deadline = deadline_after(self._timeout if timeout is None else timeout)
        try:
            hold.called = True
            place = await self._calls.perform(hold.slot, self._method, self._offset, self._length, deadline)
            return Lease(hold.reply(place))  # before the request's view goes: the slot is held without a break
        finally:
            del own  # an exception keeps what this refers to
