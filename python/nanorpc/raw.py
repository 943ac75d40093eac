"""What a raw method gets: its request where it lies, and memory for the reply."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nanorpc._buffer import flat
from nanorpc._loader import core
from nanorpc.errors import NanoRPCError
from nanorpc.loan import Shape, array_on

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from nanorpc._buffer import Buffer


class Request:
    """A request that lies in memory shared with the client, until the method returns. It may change while it is read, if the client is malicious:
    copy first what must not.
    """

    __slots__ = ("view",)

    view: memoryview
    """The memory, read-only."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __len__(self) -> int:
        return len(self.view)

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    def array(self, dtype: DTypeLike, shape: Shape | None = None) -> np.ndarray[Any, Any]:
        """Return a read-only array on the request: of one dimension over all of it, or of a shape that fits in.

        :raises ValueError: it does not fit.
        """
        return array_on(self.view, dtype, shape)


class Reply:
    """Memory shared with the client in which the reply is written. What :meth:`view` or :meth:`array` has returned, once, or :meth:`write` been
    given, is the reply when the method returns; without, the reply is empty.
    """

    __slots__ = ("_reserve", "_view")

    def __init__(self, reserve: Callable[[int], memoryview]) -> None:
        self._reserve = reserve
        self._view: memoryview | None = None

    def view(self, length: int) -> memoryview:
        """Return memory for a reply of ``length`` bytes. What it holds at first is undefined. Blocks while there is no room, until shortly before
        the call's deadline, or for 30 seconds if it has none.

        :raises PayloadTooLarge: the server's limit is lower.
        :raises SharedMemoryExhausted: there was no room.
        :raises NanoRPCError: the reply has its memory already.
        """
        if length < 0:
            raise ValueError(f"a reply of {length} bytes: use 0 or more")
        if self._view is not None:
            raise NanoRPCError("a reply has one view or array: the memory cannot be moved")
        self._view = self._reserve(length)
        return self._view

    def write(self, payload: Buffer) -> None:
        """Have a copy of an object with the buffer protocol be the reply. It is what copying it to :meth:`view` is, and of long payloads faster.
        Blocks as that does, and raises the same, and:

        :raises TypeError: the object is not in C order.
        """
        payload = flat(payload)
        core().copy(self.view(len(payload)), payload)

    @property
    def written(self) -> memoryview | None:
        """The reply; None without one."""
        return self._view

    def array(self, shape: Shape, dtype: DTypeLike) -> np.ndarray[Any, Any]:
        """Return an array for the reply, as :meth:`view` does."""
        import numpy as np

        length = np.dtype(dtype).itemsize * (shape if isinstance(shape, int) else math.prod(shape))
        return array_on(self.view(length), dtype, shape)
