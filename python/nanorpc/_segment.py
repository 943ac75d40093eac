"""Maps segments."""

from __future__ import annotations

import mmap
import os

from nanorpc._loader import checked


def map_segment(descriptor: int, size: int) -> mmap.mmap:
    """Map a segment whose descriptor, or failure, the core has returned. The descriptor is closed: the map has its own."""
    checked(descriptor)
    try:
        return mmap.mmap(descriptor, checked(size))
    finally:
        os.close(descriptor)
