"""What the clients of :mod:`nanorpc.peers` give out. All block until they have what they return, and raise what their library raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Echo = Callable[[bytes], "bytes | None"]
"""Sends a request, and returns the server's reply: the same bytes."""

Add = Callable[[int, int], int]
"""Returns the sum of two numbers, by the server's reckoning."""

Batch = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Makes a call with each request, all in flight at once, and returns the replies in the same order."""

AsyncEcho = Callable[[bytes], Awaitable[bytes]]
"""An :data:`Echo` for asyncio. Many may be awaited at once."""


class Halve(Protocol):
    """Halves an array, in three steps, so that the numbers can be written before the second and read after it."""

    def begin(self, count: int) -> NDArray[np.float32]:
        """Return an array of so many elements for the numbers. It may have any content."""

    def run(self) -> NDArray[np.float32]:
        """Halve the numbers, and return them, perhaps as a view."""

    def end(self) -> None:
        """Give back both arrays: they must not be used any more."""
