"""Large values of MessagePack, decoded part by part.

To decode one makes an object of every value in it, which holds the interpreter's lock, and with it the window, for tens of milliseconds for each MiB.
To pass over a value takes two or three for each MiB. So of a list or map no more is decoded than the parts that are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain, islice
from typing import Any

import msgspec

from nanorpc.codec import MARKER, Codec, Malformed, message_pack

PAGE = 1000
"""Parts of a list or map that are decoded together."""

_AT_ONCE = 64 << 10
"""Bytes up to which a value is decoded as a whole."""

_LARGEST = 16 << 20
"""Bytes of MessagePack up to which there is a value: passing over them takes some tens of milliseconds."""


def value_of(payload: bytes) -> Any:
    """Return the value in a payload: a :class:`Packed` if it is a large list or map.

    :raises Malformed: there is none, or it is too large.
    """
    packed = message_pack(payload) if payload.startswith(MARKER) else payload
    if len(packed) > _LARGEST:
        raise Malformed("too large")
    try:
        msgspec.msgpack.decode(packed, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    return _value(memoryview(packed), None if packed is payload else memoryview(payload))


class Packed:
    """A list or map, of which what is asked for is decoded.

    :param packed: its MessagePack, which has been found well-formed.
    :param payload: in which the arrays are; None if there are none.
    """

    def __init__(self, packed: memoryview, payload: memoryview | None) -> None:
        self._packed, self._payload = packed, payload
        self.is_map, self._length, start = _header(packed)
        self._starts = [start]  # of the pages that are known

    def __len__(self) -> int:
        return self._length

    def page(self, number: int) -> list[tuple[Any, Any]]:
        """Return parts from ``number * PAGE`` on: keys, in a list places, and values, which may be large in turn, or a :class:`Malformed`."""
        while len(self._starts) <= number:
            self._starts.append(self._starts[-1] + sum(map(len, self._raws(len(self._starts) - 1))))
        parts = [_value_or_error(raw, self._payload) for raw in self._raws(number)]
        if self.is_map:
            return list(zip(parts[::2], parts[1::2], strict=True))
        return list(enumerate(parts, number * PAGE))

    def _raws(self, number: int) -> list[memoryview]:
        """Return the MessagePack of each of a page's values."""
        each = 2 if self.is_map else 1
        left = (self._length - number * PAGE) * each
        # As if there were nothing but what is left, in a list: of one that has more than the fields of a structure the rest is passed over.
        found = _pages().decode(b"".join([b"\xdd", left.to_bytes(4, "big"), self._packed[self._starts[number] :]]))
        return [memoryview(getattr(found, field)) for field in found.__struct_fields__[: min(left, PAGE * each)]]


Branch = dict[Any, Any] | list[Any] | tuple[Any, ...] | Packed
"""What has parts."""


def page(value: Branch, number: int) -> list[tuple[Any, Any]]:
    """Do what :meth:`Packed.page` does, for whatever has parts."""
    if isinstance(value, Packed):
        return value.page(number)
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return list(islice(pairs, number * PAGE, (number + 1) * PAGE))


def parts(value: Branch) -> Iterator[tuple[Any, Any]]:
    """Return all parts, one after the other."""
    return chain.from_iterable(page(value, number) for number in range(-(-len(value) // PAGE)))


@cache
def _pages() -> msgspec.msgpack.Decoder[Any]:
    fields = [(f"part{i}", msgspec.Raw, msgspec.Raw()) for i in range(2 * PAGE)]
    return msgspec.msgpack.Decoder(msgspec.defstruct("Page", fields, array_like=True))


@cache
def _decoder() -> Any:
    return Codec().decoder()


def _value(packed: memoryview, payload: memoryview | None) -> Any:
    if len(packed) > _AT_ONCE and _header(packed)[2]:
        return Packed(packed, payload)
    return _decoder().decode(packed) if payload is None else _decoder().decode_part(packed, payload)


def _value_or_error(packed: memoryview, payload: memoryview | None) -> Any:
    try:
        return _value(packed, payload)
    except Malformed as error:
        return error


def _header(packed: memoryview) -> tuple[bool, int, int]:
    """Return whether a value is a map, how many parts it has, and where these begin, which is 0 if it is neither a list nor a map."""
    first = packed[0]
    if first in (0xDC, 0xDD, 0xDE, 0xDF):
        end = 3 if first in (0xDC, 0xDE) else 5
        return first >= 0xDE, int.from_bytes(packed[1:end], "big"), end
    return (first & 0xF0 == 0x80, first & 0xF, 1) if 0x80 <= first <= 0x9F else (False, 0, 0)
