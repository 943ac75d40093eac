"""Payloads."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    if sys.version_info >= (3, 12):
        from collections.abc import Buffer as Buffer
    else:
        from typing_extensions import Buffer as Buffer


def flat(payload: Buffer) -> memoryview | bytes:
    """Return the bytes of an object with the buffer protocol, which must be in C order, without copying them."""
    view = memoryview(payload)
    return view.cast("B") if view.nbytes else b""  # a view without bytes cannot be cast


class Parts(ABC):
    """A payload that is written to its place in parts, so that its data is copied once."""

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int:
        """Return its length in bytes."""

    @abstractmethod
    def write(self, into: memoryview, copy: Callable[[memoryview, Buffer], object]) -> None:
        """Write it to a place of that length. What is long is copied by a function, ``copy`` of the core, to memory as long as it."""


def plain(payload: Buffer | Parts) -> memoryview | bytes | Parts:
    """Return a payload as bytes without copying them. Parts stay what they are."""
    return payload if isinstance(payload, Parts) else flat(payload)
