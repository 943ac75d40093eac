"""Requests and replies that are written and read where they lie, in memory shared with the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from nanorpc._buffer import Parts, plain
from nanorpc._channel import Channel, deadline_after
from nanorpc.errors import Released

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from nanorpc._buffer import Buffer
    from nanorpc._core import Hold

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


class Memory:
    """What loans and leases have in common. Derived classes set ``_view``, which is None once the memory has been given back, and ``_length``."""

    __slots__ = ("__weakref__", "_length", "_view")

    _length: int
    _view: memoryview | None

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
        view = self._view
        if view is None:
            raise Released(f"this {type(self).__name__.lower()} has been released or sent")
        return view

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

    __slots__ = ()

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._length = len(view)

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
        return cls(channel.hold_slot(channel, entry).reply(place))


class Loan(Memory):
    """Memory shared with the server in which a request is written, so that it is never copied, made by :meth:`Client.loan` or :meth:`Method.loan`.
    What it holds at first is undefined. It ends with :meth:`send`, :meth:`release` or the end of its ``with`` block. It takes one of the client's
    256 slots. Its methods may be called from any thread, one at a time.
    """

    __slots__ = ("_hold", "_method", "_offset", "_timeout")

    _hold: Hold
    _offset: int

    def __init__(self, channel: Channel, method: str, length: int, timeout: float | None) -> None:
        if length < 0:
            raise ValueError(f"a loan of {length} bytes: use 0 or more")
        deadline = 0 if timeout is None else deadline_after(timeout)
        self._hold, self._view, self._offset = channel.loan_now(channel, length) or channel.loan(length, deadline)
        self._length = length
        self._method = method
        self._timeout = timeout

    def send(self, *, timeout: float | None = None) -> Lease:
        """Call the method with what has been written, and return the reply where it lies. The loan has ended then, whatever comes of the call.
        Blocks until the reply is there; signals are handled meanwhile. Raises what :meth:`Client.call` does, and:

        :raises Released: the loan has been released or sent.
        """
        own, self._view = self.view, None
        if timeout is None:
            timeout = self._timeout
        try:
            deadline = 0 if timeout is None else deadline_after(timeout)
            # The reply's view is there before the request's goes: the slot is held without a break.
            return Lease(self._hold.call(self._method, self._offset, self._length, deadline))
        finally:
            del own  # an exception keeps what this refers to
