"""Requests and replies that are written and read where they lie, in memory shared with the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from nanorpc._buffer import Parts, plain
from nanorpc._channel import STAGED, Channel, deadline_after, unplace
from nanorpc._loader import forked
from nanorpc.errors import Released

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from nanorpc._buffer import Buffer
    from nanorpc._tickets import Slot

Shape = int | Sequence[int]
Self = TypeVar("Self", bound="Memory")


def array_on(view: memoryview, dtype: DTypeLike, shape: Shape | None) -> np.ndarray[Any, Any]:
    """Return an array on memory: of one dimension over all of it, or of a shape that fits in.

    :raises ValueError: it does not fit.
    """
    import numpy as np

    if shape is None:
        return np.frombuffer(view, dtype)
    # frombuffer, which keeps the view; np.ndarray would keep only what that is of, and make a writable array of a read-only one.
    return np.frombuffer(view, dtype, math.prod(shape) if isinstance(shape, Sequence) else shape).reshape(shape)


class Hold:
    """A slot that is held until nobody uses its memory: neither the request nor the reply."""

    def __init__(self, channel: Channel, entry: tuple[Slot, int]) -> None:
        self.channel = channel
        self.slot = entry[0]
        self._held = [entry]  # until it is given back
        self._uses = 0
        self.called = False
        """Whether its call has been submitted, and not been answered yet."""

    def give_back(self) -> None:
        """Give the slot to the next who needs one. A call that has not been answered is given up. Doing it again, as two threads may when the last
        two views go at the same time, does nothing.
        """
        try:
            entry = self._held.pop()
        except IndexError:
            return
        if self.called or forked():
            self.channel.drop(entry[0])
        else:
            self.channel.release(entry)

    def drop(self) -> None:
        """Give the slot back to the core, unless that, or :meth:`give_back`, has been done."""
        try:
            slot, _ = self._held.pop()
        except IndexError:
            return
        self.channel.drop(slot)

    def view(self, offset: int, length: int, writable: bool) -> memoryview:
        """Return a view of memory that belongs to the slot."""
        self._uses += 1
        return self.channel.pinned(offset, length, writable, self._unused)

    def copied(self, place: int) -> memoryview:
        """Return a copy of a reply. The slot is given back when there is no view of its memory."""
        reply = memoryview(self.channel.read(self.slot, place))
        if not self._uses:
            self.give_back()
        return reply

    def _unused(self) -> None:
        self._uses -= 1
        if not self._uses:
            self.give_back()


class Memory:
    """What loans and leases have in common."""

    def __init__(self, view: memoryview) -> None:
        self._view: memoryview | None = view
        self._length = len(view)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._view = None

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<nanorpc.{type(self).__name__} of {self._length} bytes{', released' if self._view is None else ''}>"

    @property
    def view(self) -> memoryview:
        """The memory. It stays as long as this view, and whatever is made of it.

        :raises Released: it has been released or sent.
        """
        if self._view is None:
            raise Released(f"this {type(self).__name__.lower()} has been released or sent")
        return self._view

    def array(self, dtype: DTypeLike, shape: Shape | None = None) -> np.ndarray[Any, Any]:
        """Return an array on the memory, which stays as long as that: of one dimension over all of it, or of a shape that fits in.

        :raises Released: the memory has been released or sent.
        :raises ValueError: the array does not fit.
        """
        return array_on(self.view, dtype, shape)

    def release(self) -> None:
        """Give the memory back, once the views and arrays that were made of it are gone.

        :raises Released: it has been released or sent already.
        """
        _ = self.view
        self._view = None


class Lease(Memory):
    """A reply that lies in memory shared with the server, read-only, until :meth:`release` or the end of its ``with`` block, and as long as there
    are views and arrays on it. It takes one of the client's 256 slots. Its methods may be called from any thread, one at a time.
    """

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    @classmethod
    def of_call(cls, channel: Channel, method: str, payload: Buffer | Parts, timeout: float | None) -> Lease:
        """Make a call whose request is copied, and return its reply. See :meth:`Client.call_lease`."""
        payload = plain(payload)
        deadline = deadline_after(timeout)
        slot, _ = entry = channel.take(deadline)
        try:
            offset = channel.reserve(slot, len(payload), deadline)
            channel.write(offset, len(payload), payload)
            place = channel.perform(slot, method, offset, len(payload), deadline)
        except BaseException:
            channel.drop(slot)
            raise
        return cls.of_place(Hold(channel, entry), place)

    @classmethod
    def of_place(cls, hold: Hold, place: int) -> Lease:
        """Return the reply at a place of a slot that is held for it."""
        if place < STAGED:  # so short that it has been copied
            return cls(hold.copied(place))
        return cls(hold.view(*unplace(place), False))


class Loan(Memory):
    """Memory shared with the server in which a request is written, so that it is never copied, made by :meth:`Client.loan` or :meth:`Method.loan`.
    What it holds at first is undefined. It ends with :meth:`send`, :meth:`release` or the end of its ``with`` block. It takes one of the client's
    256 slots. Its methods may be called from any thread, one at a time.
    """

    def __init__(self, hold: Hold, method: str, offset: int, length: int, timeout: float | None) -> None:
        super().__init__(hold.view(offset, length, True))
        self._hold = hold
        self._method = method
        self._offset = offset
        self._timeout = timeout

    @classmethod
    def make(cls, channel: Channel, method: str, length: int, timeout: float | None) -> Loan:
        """See :meth:`Client.loan`."""
        if length < 0:
            raise ValueError(f"a loan of {length} bytes: use 0 or more")
        deadline = deadline_after(timeout)
        hold = Hold(channel, channel.take(deadline))
        try:
            offset = channel.reserve(hold.slot, length, deadline)
            return cls(hold, method, offset, length, timeout)
        except BaseException:
            hold.drop()  # views of it may have given it back already
            raise

    def send(self, *, timeout: float | None = None) -> Lease:
        """Call the method with what has been written, and return the reply where it lies. The loan has ended then, whatever comes of the call.
        Blocks until the reply is there; signals are handled meanwhile. Raises what :meth:`Client.call` does, and:

        :raises Released: the loan has been released or sent.
        """
        own, self._view = self.view, None
        hold = self._hold
        try:
            deadline = deadline_after(self._timeout if timeout is None else timeout)
            hold.called = True
            place = hold.channel.perform(hold.slot, self._method, self._offset, self._length, deadline)
            hold.called = False
            return Lease.of_place(hold, place)  # before the request's view goes: the slot is held without a break
        finally:
            del own  # an exception keeps what this refers to
