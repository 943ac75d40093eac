"""Payloads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    if sys.version_info >= (3, 12):
        from collections.abc import Buffer as Buffer
    else:
        from typing_extensions import Buffer as Buffer


def flat(payload: Buffer) -> memoryview | bytes:
    """Return the bytes of an object with the buffer protocol, which must be in C order, without copying them."""
    view = memoryview(payload)
    return view.cast("B") if view.nbytes else b""  # a view without bytes cannot be cast
