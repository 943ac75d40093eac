"""Views of shared memory that say when nobody uses them any more."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from functools import cache
from typing import Any

_MIN_BITS = 8
"""A slot's own place, 224 bytes, has that much of the segment behind it."""


def pin(segment: mmap.mmap, offset: int, length: int, unused: Callable[[], None]) -> memoryview:
    """Return a writable view of ``length`` bytes of a segment, and call ``unused`` once the view, all that was made of it and all arrays
    on them are gone: then, in whatever thread that happens.

    The map stays as long as the view, whatever becomes of the connection.
    """
    # A memoryview, or an array on one, keeps its exporter alive, and nothing else knows when the last of them is gone: so each view has an exporter
    # of its own.
    bits = max((length - 1).bit_length(), _MIN_BITS)
    start = min(offset, len(segment) - (1 << bits))  # a server may have put a reply anywhere
    block = _block_type(bits).from_buffer(segment, start)
    block.unused = unused
    return memoryview(block).cast("B")[offset - start : offset - start + length]


class _Block:
    """The part of an exporter that is the same for all sizes."""

    unused: Callable[[], None] | None = None

    def __del__(self) -> None:
        if self.unused is not None:  # else an exception has come before it was told
            self.unused()


@cache
def _block_type(bits: int) -> Any:
    """Return the type of exporters of 1 << bits bytes: one for each power of two, not for each length."""
    return type("Block", (_Block, ctypes.c_char * (1 << bits)), {})
