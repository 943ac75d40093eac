"""Services that the dashboard's tests run in a process of their own: ``nanorpc serve services_program.py:demo --traceback``."""

from __future__ import annotations

import asyncio
import enum
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import nanorpc

demo = nanorpc.Service("demo", version="2.1", doc="What the dashboard's tests call.")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    price: float
    tags: list[str] = field(default_factory=list)
    picture: bytes = b""


@demo.method(idempotent=True)
def add(a: int, b: int = 5) -> int:
    """Add two numbers."""
    return a + b


@demo.method
def everything(
    count: int,
    ratio: float,
    name: str,
    on: bool,
    data: bytes,
    colour: Colour,
    size: Literal["small", "large"],
    items: list[int],
    item: Item,
    array: NDArray[np.float32],
    *,
    note: str | None = None,
    limit: int | None = None,
    other: Any = None,
) -> dict[str, Any]:
    """Return all that it gets, as text."""
    given = {"count": count, "ratio": ratio, "name": name, "on": on, "data": data, "colour": colour, "size": size, "items": items, "item": item}
    return {key: repr(value) for key, value in given.items()} | {"array": array * 2, "note": note, "limit": limit, "other": other}


@demo.method(name="math.matrix")
def matrix(rows: int, columns: int = 4) -> NDArray[np.float64]:
    """A matrix of numbers that count up."""
    return np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)


@demo.method(name="math.fail")
def fail(text: str = "no such thing") -> None:
    """Raise a KeyError."""
    raise KeyError(text)


@demo.method
def gradient(width: int = 160, height: int = 90) -> NDArray[np.uint8]:
    """A picture as an array: height, width, and three colours."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)


@demo.method(raw=True)
def png(request: bytes) -> bytes:
    """A picture as a PNG file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    rows = b"".join(b"\0" + b"".join(bytes((x * 16, y * 16, 128)) for x in range(16)) for y in range(16))
    header = (16).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@demo.method(raw=True)
def reverse(request: bytes) -> bytes:
    """The same bytes backwards."""
    return request[::-1]


@demo.method
async def pause(seconds: float) -> str:
    """Answer later."""
    await asyncio.sleep(seconds)
    return "rested"


@demo.method
def tree(depth: int = 3, width: int = 4) -> dict[str, Any]:
    """Dictionaries in dictionaries."""
    return {
        f"branch {i}": tree(depth - 1, width) if depth > 1 else {"leaf": i, "text": "x" * i, "thread": threading.active_count()} for i in range(width)
    }
