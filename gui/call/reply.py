"""What has come back, in all the ways in which it can be looked at. It is made in a worker's thread: pictures and long texts take time."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QImage

from nanorpc.codec import Malformed
from nanorpc.commands.values import for_people, text_of
from nanorpc.gui.call.packed import Packed, parts, value_of

SHOWN_TEXT = 64 << 10
"""Characters of a text that are shown."""

SHOWN_HEX = 8 << 10
"""Bytes that are shown in hex."""

_LARGEST = QSize(1600, 1200)
"""To what pictures are scaled down."""

_PICTURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF"}
"""How files of pictures begin."""

_STRUCTURED = 512 << 10
"""Bytes up to which text is looked at for JSON in it. No other thread runs while that is decoded: the window stands still for that time."""

_TEXT = 4 << 20
"""Bytes up to which it is looked at whether all of it is text, else its beginning."""

_DRAWN = 16 << 20
"""Bytes up to which pictures are decoded."""

_LEAVES = 5000
"""Values in the text of a value."""

_MEASURED = 5_000_000
"""Elements up to which an array's mean is shown."""

_ROW = 16
_MOST_ARRAYS = 50

Array = np.ndarray[Any, Any]


class Nothing:
    """In place of a value where there is none, as None is one."""


@dataclass(frozen=True)
class Reply:
    """A reply."""

    length: int
    """Bytes, as they came."""
    what: str
    """In a word or two."""
    value: Any = Nothing
    """What it stands for; :class:`Nothing` of mere bytes."""
    text: str = ""
    """Empty if there is none."""
    hex: str = ""
    arrays: list[tuple[str, str]] = field(default_factory=list)
    """Where in the value they are, and their type, shape, and some of their values."""
    image: QImage | None = None


def read_reply(payload: bytes, typed: bool) -> Reply:
    """Return what a reply is.

    :param typed: whether it is a value of section 8 of the protocol; of other methods' it may be, and is if it looks like it.
    """
    if typed and not payload:
        return _of_value(None, payload)
    value = _message_pack(payload) if typed or _beginning(payload) is None else Nothing
    # Random bytes are often one small number.
    if value is Nothing or not (typed or isinstance(value, dict | list | np.ndarray | Packed)):
        return _of_bytes(payload, payload)
    return _of_value(value, payload)


def _of_value(value: Any, payload: bytes) -> Reply:
    if isinstance(value, bytes):
        return _of_bytes(value, payload)
    if isinstance(value, str):
        return Reply(len(payload), "text", value, _cut(value), hex_of(payload))
    arrays = _arrays(value)
    image = image_of_array(arrays[0][1]) if len(arrays) == 1 else None
    what = "nothing" if value is None else "array" if isinstance(value, np.ndarray) else "value"
    text = for_people(_first(value, [_LEAVES]))
    return Reply(len(payload), what, value, _cut(text), hex_of(payload), [(name, preview(array)) for name, array in arrays], image)


def _first(value: Any, left: list[int]) -> Any:
    """Return a value with no more than its first parts.

    :param left: how many; a list, so that all parts count.
    """
    if isinstance(value, dict | list | tuple | Packed):
        is_map = value.is_map if isinstance(value, Packed) else isinstance(value, dict)
        found: list[tuple[Any, Any]] = []
        for key, item in parts(value):
            if left[0] <= 0:
                rest = f"{len(value) - len(found):,} more"
                found.append(("…", rest if is_map else f"… {rest}"))
                break
            found.append((key, _first(item, left)))
        return dict(found) if is_map else [item for _, item in found]
    left[0] -= 1
    return value[:SHOWN_TEXT] if isinstance(value, str | bytes) else str(value) if isinstance(value, Malformed) else value


def _of_bytes(content: bytes, payload: bytes) -> Reply:
    for beginning, kind in _PICTURES.items():
        if content.startswith(beginning) and len(content) <= _DRAWN and not (image := QImage.fromData(content)).isNull():
            return Reply(len(payload), f"{kind}, {image.width()} × {image.height()}", hex=hex_of(content), image=_scaled(image))
    if not content:
        return Reply(len(payload), "empty")
    text = _beginning(content)
    if text is None:
        return Reply(len(payload), "bytes", hex=hex_of(content))
    value: Any = Nothing
    if len(content) <= _STRUCTURED:
        with suppress(msgspec.DecodeError):
            value = msgspec.json.decode(content)
    structured = isinstance(value, dict | list)
    return Reply(len(payload), "JSON" if structured else "text", value if structured else Nothing, _cut(text), hex_of(content))


def _beginning(content: bytes) -> str | None:
    """Return bytes as text, or the first part of many; None if they are none."""
    if len(content) <= _TEXT:
        return text_of(content)
    part = text_of(content[: 2 * SHOWN_TEXT].decode(errors="ignore").encode())
    return None if part is None or "\0" in part else part


def _message_pack(payload: bytes) -> Any:
    try:
        return value_of(payload)
    except Malformed:
        return Nothing


def _arrays(value: Any, path: str = "") -> list[tuple[str, Array]]:
    found: list[tuple[str, Array]] = []
    pending: deque[tuple[str, Any]] = deque([(path, value)])
    looked = 0
    while pending and len(found) < _MOST_ARRAYS and (looked := looked + 1) < _LEAVES:
        path, part = pending.popleft()
        if isinstance(part, np.ndarray):
            found.append((path or "the reply", part))
        elif isinstance(part, dict) or (isinstance(part, Packed) and part.is_map):
            pending += [(f"{path}.{key}" if path else str(key), item) for key, item in islice(parts(part), _LEAVES)]
        elif isinstance(part, Packed) or (isinstance(part, list) and not all(isinstance(item, int | float | str) for item in part)):
            pending += [(f"{path}[{i}]", item) for i, item in islice(parts(part), _LEAVES)]
    return found


def image_of_array(array: Array) -> QImage | None:
    """Return the picture that an array of bytes is: of two dimensions a grey one, of three with 1, 3 or 4 at the end a grey one, RGB or RGBA; None
    for others.
    """
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or not array.size:
        return None
    channels = array.shape[2] if array.ndim == 3 else 1
    formats = {1: QImage.Format_Grayscale8, 3: QImage.Format_RGB888, 4: QImage.Format_RGBA8888}
    if channels not in formats:
        return None
    height, width = array.shape[:2]
    pixels = np.ascontiguousarray(array)
    image = QImage(pixels.tobytes(), width, height, width * channels, formats[channels])
    return _scaled(image).copy()  # the image refers to the bytes, the copy has its own


def _scaled(image: QImage) -> QImage:
    if image.width() <= _LARGEST.width() and image.height() <= _LARGEST.height():
        return image
    return image.scaled(_LARGEST, Qt.KeepAspectRatio, Qt.SmoothTransformation)


def preview(array: Array) -> str:
    """Return the type, the shape, and the first and last values of an array."""
    head = f"dtype {array.dtype}   shape {' × '.join(map(str, array.shape)) or 'a single value'}   {array.nbytes:,} bytes"
    figures = ""
    if array.size and array.dtype.kind in "biuf" and array.size <= _MEASURED:
        figures = f"\nmin {array.min()}   max {array.max()}   mean {array.mean(dtype=np.float64):.6g}"
    return f"{head}{figures}\n\n{np.array2string(array, threshold=400, edgeitems=6, max_line_width=110)}"


def hex_of(content: bytes) -> str:
    """Return the first bytes in rows of an offset, hex digits, and the characters that they are."""
    rows = []
    for start in range(0, min(len(content), SHOWN_HEX), _ROW):
        part = content[start : start + _ROW]
        digits = f"{part[:8].hex(' ')}  {part[8:].hex(' ')}"
        rows.append(f"{start:08x}  {digits:<49} {''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in part)}")
    if len(content) > SHOWN_HEX:
        rows.append(f"… {len(content) - SHOWN_HEX:,} bytes more")
    return "\n".join(rows)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}\n… {len(text) - SHOWN_TEXT:,} characters more"
