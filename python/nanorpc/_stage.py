"""Memory through which short payloads pass on their way to and from shared memory: the core copies them."""

from __future__ import annotations

import ctypes
import mmap


class Stage:
    """Memory whose address the core knows. It stays as long as this object."""

    def __init__(self, size: int) -> None:
        # Of all that can be written in slices, a map alone gives bytes when it is read.
        self.memory = mmap.mmap(-1, size)
        self._pinned = ctypes.c_char.from_buffer(self.memory)  # a map with an exported buffer cannot be closed

    @property
    def address(self) -> int:
        """Where it lies."""
        return ctypes.addressof(self._pinned)
