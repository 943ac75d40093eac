"""Results of methods as JSON."""

from __future__ import annotations

import base64
import json
import math
import sys
from datetime import date, datetime, time, timedelta
from typing import Any

_FIRST = 8
"""Elements of an array that people see."""

_WIDTH = 100
"""Characters of a result that is printed on one line."""


def for_people(value: Any) -> str:
    """Return JSON for people: bytes that are printable text as text, of arrays the first elements, and what is long on several lines."""
    value = _json(value, _text_or_base64, _beginning)
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _WIDTH:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)  # what a terminal obeys is in strings only


def for_programs(value: Any) -> Any:
    """Return a value of JSON: bytes as base64, arrays as lists, and ``null`` for numbers that JSON has not got."""
    return _json(value, _base64, lambda array: array.tolist())


def text_of(content: bytes) -> str | None:
    """Return bytes as text, if that can be printed on a terminal without doing anything to it; else None."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None


def _json(value: Any, of_bytes: Any, of_array: Any) -> Any:
    """Return a value with what JSON has, given functions for what it has not got."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if of_bytes is _base64 else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return of_bytes(bytes(value))
    if isinstance(value, dict):
        return {_key(key, of_bytes): _json(item, of_bytes, of_array) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(item, of_bytes, of_array) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _json(of_array(value), of_bytes, of_array)
    return str(value)


def _key(key: Any, of_bytes: Any) -> str:
    if isinstance(key, str):
        return key
    return of_bytes(key) if isinstance(key, bytes) else str(key)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _text_or_base64(content: bytes) -> str:
    text = text_of(content)
    return _base64(content) if text is None else text


def _beginning(array: Any) -> dict[str, Any]:
    first = array.reshape(-1)[:_FIRST].tolist()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values" if array.size <= _FIRST else "first": first}
