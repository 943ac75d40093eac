"""NumPy in one process, without calls: what the work of the ``array`` case takes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nanorpc.peers.interface import Arrays


@contextmanager
def array(directory: Path) -> Iterator[Arrays]:
    """Give out what halves arrays, all of which are the same memory."""
    yield _Halve()


class _Halve:
    def __init__(self) -> None:
        self._numbers = np.empty(0, np.float32)
        self._halves = np.empty(0, np.float32)

    def begin(self, count: int) -> NDArray[np.float32]:
        if count != self._numbers.size:
            self._numbers = np.zeros(count, np.float32)
            self._halves = np.zeros(count, np.float32)
        return self._numbers

    def run(self) -> NDArray[np.float32]:
        return np.multiply(self._numbers, np.float32(0.5), out=self._halves)

    def end(self) -> None:
        pass
