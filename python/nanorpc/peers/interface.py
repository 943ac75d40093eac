"""What the clients of :mod:`nanorpc.peers` give out. All block until they have what they return, and raise what their library raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Echo = Callable[[bytes], "bytes | None"]
"""Sends a request, and returns the server's reply: the same bytes."""

Stamps = Callable[[int, bytes], bytes]
"""Sends a request of so many bytes, in which only the two halves of the stamp are written, one at either end, and returns those of the reply,
which is as long. A stamp is as long as the request if that is short.
"""

Add = Callable[[int, int], int]
"""Returns the sum of two numbers, by the server's reckoning."""

Batch = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Makes a call with each request, all in flight at once, and returns the replies in the same order."""

AsyncEcho = Callable[[bytes], Awaitable[bytes]]
"""An :data:`Echo` for asyncio. Many may be awaited at once."""


class Pipeline(Protocol):
    """Makes calls of which several are in flight."""

    def send(self, request: bytes) -> None:
        """Send a request, and do not wait for its reply."""

    def receive(self) -> bytes | None:
        """Return the reply to the oldest request that has none yet: the same bytes."""


class Arrays(Protocol):
    """Sends an array and gets one of as many numbers, in three steps, so that the numbers can be written before the second and read after it."""

    def begin(self, count: int) -> NDArray[np.float32]:
        """Return an array of so many elements for the numbers. It may have any content."""

    def run(self) -> NDArray[np.float32]:
        """Make the call, and return the server's numbers, perhaps as a view."""

    def end(self) -> None:
        """Give back both arrays: they must not be used any more."""
