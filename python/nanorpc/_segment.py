"""Maps segments."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from itertools import starmap

from nanorpc._loader import checked


def map_segment(descriptor: Callable[[], int], size: int) -> mmap.mmap:
    """Map a segment of whose file the core returns a descriptor, or a failure. It is closed: the map has its own."""
    got: list[int] = []
    try:
        got.extend(starmap(descriptor, ((),)))  # no step of the interpreter after which an exception would lose it
        return mmap.mmap(checked(got[0]), checked(size))
    finally:
        if got and got[0] >= 0:
            os.close(got[0])
