"""Sizes and times as people read and write them."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "b": 1,
    "k": 1 << 10,
    "kb": 1 << 10,
    "kib": 1 << 10,
    "m": 1 << 20,
    "mb": 1 << 20,
    "mib": 1 << 20,
    "g": 1 << 30,
    "gb": 1 << 30,
    "gib": 1 << 30,
}


def parse_sizes(text: str, largest: int) -> list[int]:
    """Return the sizes in a list such as ``64, 4 KiB, 1M``: ascending, each once, in bytes.

    :raises ValueError: with a text for the user, for what is no size or above ``largest``.
    """
    sizes: set[int] = set()
    for item in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*([a-zA-Z]*)\s*", item)
        if not match or match[2].lower() not in _UNITS:
            raise ValueError(f"“{item.strip()}” is no size: write sizes with commas between, as in 64, 4KiB, 1M")
        size = int(match[1]) * _UNITS[match[2].lower()]
        if size > largest:
            raise ValueError(f"{item.strip()} is too large: sizes go up to {size_text(largest)}")
        sizes.add(size)
    return sorted(sizes)


def size_text(size: float) -> str:
    """Return a size in bytes with its unit."""
    if size < 1 << 10:
        return f"{size:g} B"
    for unit, shift in (("KiB", 10), ("MiB", 20)):
        if size < 1 << (shift + 10):
            return f"{size / (1 << shift):.4g} {unit}"
    return f"{size / (1 << 30):.4g} GiB"


def time_text(ns: float) -> str:
    """Return a time in ns with its unit, to three digits."""
    for unit, limit in (("ns", 1e3), ("µs", 1e6), ("ms", 1e9)):
        if ns < limit:
            return f"{ns / limit * 1e3:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def calls_text(calls: float) -> str:
    """Return a number of calls in few characters."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if calls >= size:
            return f"{calls / size:.3g}{unit}"
    return f"{calls:.3g}"
