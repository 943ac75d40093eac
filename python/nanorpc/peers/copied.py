"""Arrays for peers that send from the caller's memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Own:
    """Sends an array of the caller's own, the same each time.

    :param call: sends the array, and returns that of the reply.
    """

    def __init__(self, call: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        self._call = call
        self._numbers = np.empty(0, np.float32)

    def begin(self, count: int) -> NDArray[np.float32]:
        """Return the array."""
        if count != self._numbers.size:
            self._numbers = np.empty(count, np.float32)
        return self._numbers

    def run(self) -> NDArray[np.float32]:
        """Call, without another copy than the library makes."""
        return self._call(self._numbers)

    def end(self) -> None:
        """Keep the array for the next call."""


def copied(call: Callable[[memoryview], bytes | memoryview]) -> Own:
    """Return what sends an array as bytes, and makes an array on the bytes of the reply.

    :param call: sends a view of the array's bytes, and returns the reply.
    """
    return Own(lambda numbers: np.frombuffer(call(numbers.data.cast("B")), np.float32))
