"""numpy arrays in payloads. Imported with the first array only, as it imports numpy: see :mod:`nanorpc.codec` for the format."""

from __future__ import annotations

import functools
import math
import re
import threading
from collections.abc import Callable
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import msgspec
import numpy as np
from numpy.lib import format as npy

from nanorpc._buffer import Parts
from nanorpc.codec import ARRAY, HEADER, MARKER

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer

_FIRST_PLACE = 64  # of an array, if the MessagePack is as short as it mostly is
_ALIGNMENT = 64
_MAX_NESTING = 16
_MAX_DIMENSIONS = 64
_REMEMBERED = 256  # dtypes and hints: programs use few

# What numpy writes for the types that are not structured. Nothing else gets to np.dtype, which understands much more than that.
_DESCR = re.compile(r"[<>|][biufcmMSUV][0-9]{1,10}(\[[0-9]{0,10}[a-zA-Zμ]{1,8}(/[0-9]{1,10})?\])?")

Descr = str | list[Any]


class ArrayMessage(Parts):
    """An encoded value with numpy arrays, whose data is yet to be copied: by :meth:`write`, straight to its place.

    The arrays are read by :meth:`write`, not before: do not change them until then. Not for use by several threads at once.
    """

    __slots__ = ("_head", "_parts", "nbytes")

    nbytes: int
    """The length of the payload in bytes."""

    def __init__(self, packed: bytes, base: int, parts: list[tuple[np.ndarray[Any, Any], int]], nbytes: int) -> None:
        self._head = (MARKER + len(packed).to_bytes(4, "little") + packed).ljust(base, b"\0")
        self._parts = parts
        self.nbytes = nbytes

    def __len__(self) -> int:
        return self.nbytes

    def write(self, into: memoryview, copy: Callable[[memoryview, Buffer], object]) -> None:
        """Write the payload to the first :attr:`nbytes` bytes of writable memory, which is of format "B".

        :param copy: copies the data of long arrays to memory as long as they.
        :raises ValueError: ``into`` is shorter than that.
        """
        if len(into) < self.nbytes:
            raise ValueError(f"{len(into)} bytes of memory for a payload of {self.nbytes}")
        end = len(self._head)
        into[:end] = self._head
        for array, offset in self._parts:
            into[end:offset] = bytes(offset - end)
            start, end = offset, offset + array.nbytes
            if array.nbytes >= _LONG and array.flags.c_contiguous:
                copy(into[start:end], array.reshape(-1).view(np.uint8).data)
            else:
                np.copyto(np.ndarray(array.shape, array.dtype, into, start), array)

    def __bytes__(self) -> bytes:
        pieces = [self._head]
        end = len(self._head)
        for array, offset in self._parts:
            pieces += bytes(offset - end), array.tobytes()
            end = offset + array.nbytes
        return b"".join(pieces)


_LONG = 4 << 20
"""From this many bytes on, it pays to have an array copied otherwise than numpy does: see python/packaging/copy.c."""

_SHORT = 4096
"""Up to this many bytes, copying a message once more costs less than dealing with its parts."""


class ArrayEncoder:
    """Encodes values with arrays in them. May be used by several threads at once.

    :param fallback: encodes what is no array and msgspec does not know.
    :param pickle: encodes arrays that can only be pickled.
    """

    __slots__ = ("_current", "_encode", "_fallback", "_pickle")

    def __init__(self, fallback: Callable[[Any], Any], pickle: Callable[[Any], Any] | None) -> None:
        self._fallback = fallback
        self._pickle = pickle
        self._current = _Current()
        self._encode = msgspec.msgpack.Encoder(enc_hook=self._part).encode

    def encode(self, value: Any) -> bytes | ArrayMessage:
        """Encode a value: as bytes, if they are few.

        :raises TypeError: there is an array that cannot be sent.
        """
        current = self._current
        outer = current.parts
        base = _FIRST_PLACE
        try:
            while True:
                parts = current.parts = _Parts(base)
                packed = self._encode(value)
                if HEADER + len(packed) <= base:
                    break
                base = _aligned(HEADER + len(packed))
        finally:
            current.parts = outer
        message = ArrayMessage(packed, base, parts.placed, parts.end)
        return bytes(message) if parts.end <= _SHORT else message

    def _part(self, value: Any) -> Any:
        """Encode what msgspec does not know."""
        if not isinstance(value, np.ndarray):
            return self._fallback(value)
        try:
            if type(value) is not np.ndarray:
                if isinstance(value, np.ma.MaskedArray):
                    raise TypeError("masked arrays cannot be sent: send the data and the mask")
                value = value.view(np.ndarray)  # which other classes may not let numpy's functions copy
            described = _described(value.dtype, value.shape)
        except TypeError:
            if self._pickle is None:
                raise
            return self._pickle(value)
        return msgspec.msgpack.Ext(ARRAY, described + self._current.parts.place(value).to_bytes(8, "big"))


class _Parts:
    """The arrays of one payload, and their places in it, the first one at ``end``."""

    __slots__ = ("end", "placed")

    def __init__(self, end: int) -> None:
        self.end = end
        self.placed: list[tuple[np.ndarray[Any, Any], int]] = []

    def place(self, array: np.ndarray[Any, Any]) -> int:
        """Return the offset of another one."""
        offset = _aligned(self.end)
        self.end = offset + array.nbytes
        self.placed.append((array, offset))
        return offset


class _Current(threading.local):
    """The payload that a thread encodes."""

    parts = _Parts(0)


_OFFSET = 9
"""Bytes of the offset, which is always of 64 bits, so that a second pass with another base makes a message of the same length."""


@functools.lru_cache(_REMEMBERED)
def _described(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return what an array's extension has before the offset's value, in MessagePack.

    :raises TypeError: the dtype cannot be described or holds Python objects.
    """
    return b"".join((b"\x93", _describe(dtype), msgspec.msgpack.encode(shape), b"\xcf"))


def view(payload: memoryview, content: memoryview) -> np.ndarray[Any, Any]:
    """Return the array that an extension's content describes, as a view of the payload, which is read-only.

    :raises ValueError: there is no such array.
    """
    try:
        try:
            if content[-_OFFSET] != 0xCF:
                raise ValueError("another length of the offset")
            dtype, shape, count = _layout(bytes(content[:-_OFFSET]))
            offset = int.from_bytes(content[-_OFFSET + 1 :], "big")
        except Exception:  # whatever it is: the long way decides
            descr, sizes, offset = _content()(content)
            dtype, shape, count = _laid_out(descr, sizes)
        size = count * dtype.itemsize
        if offset < HEADER or offset + size > len(payload):
            raise ValueError(f"{size} bytes at {offset} of {len(payload)}")
        if count == 0:  # there may be no byte at the offset
            return np.ndarray(shape, dtype, b"")
        # Not np.ndarray(), which would let go of the memoryview, so that the memory could be unmapped and written to.
        array = np.frombuffer(payload, dtype, count, offset)
        return array if len(shape) == 1 else array.reshape(shape)
    except msgspec.MsgspecError as error:
        raise ValueError("no array: neither dtype, shape nor offset") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"no array: {error}") from error


@functools.cache
def _content() -> Callable[[bytes | memoryview], tuple[Descr, list[int], int]]:
    """Return what decodes the content of an extension."""
    return msgspec.msgpack.Decoder(tuple[Descr, list[int], int]).decode


Layout = tuple[np.dtype[Any], tuple[int, ...], int]
"""The dtype, the shape, and how many elements that has."""


@functools.lru_cache(_REMEMBERED)
def _layout(described: bytes) -> Layout:
    """Return what the content of an extension without the offset says, and raise anything if it says nothing."""
    descr, sizes, _ = _content()(described + b"\0")
    return _laid_out(descr, sizes)


def _laid_out(descr: Descr, sizes: list[int]) -> Layout:
    dtype = _parse(descr)
    if len(sizes) > _MAX_DIMENSIONS:
        raise ValueError(f"{len(sizes)} dimensions")
    if min(sizes, default=0) < 0:
        raise ValueError(f"a shape of {sizes}")
    return dtype, tuple(sizes), math.prod(sizes)


def _aligned(offset: int) -> int:
    """Return the first place for an array at or after an offset."""
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


@functools.lru_cache(_REMEMBERED)
def _describe(dtype: np.dtype[Any]) -> bytes:
    """Return the description of a dtype, in MessagePack.

    :raises TypeError: it cannot be described or holds Python objects.
    """
    if dtype.hasobject:
        raise TypeError(f"arrays of {dtype} cannot be sent: they hold Python objects")
    try:
        descr: Descr = dtype.str if dtype.names is None else npy.dtype_to_descr(dtype)
        same = dtype.itemsize > 0 and _parse(descr) == dtype
    except (TypeError, ValueError) as error:
        raise TypeError(f"arrays of {dtype} cannot be sent: {error}") from error
    if not same:
        raise TypeError(f"arrays of {dtype} cannot be sent: {descr!r} is not the same")
    return msgspec.msgpack.encode(descr)


def _parse(descr: Descr) -> np.dtype[Any]:
    """Return the dtype of a description.

    :raises ValueError: there is no such dtype, or its elements have no bytes.
    """
    dtype = _parse_plain(descr) if isinstance(descr, str) else npy.descr_to_dtype(_fields(descr, _MAX_NESTING))
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError(f"arrays of {dtype} cannot be sent")
    return dtype


@functools.lru_cache(_REMEMBERED)
def _parse_plain(descr: str) -> np.dtype[Any]:
    if not _DESCR.fullmatch(descr):
        raise ValueError(f"unknown dtype {descr!r}")
    return np.dtype(descr)


def _fields(descr: object, nesting: int) -> list[tuple[Any, ...]]:
    """Return the description of a structured dtype with tuples for fields, as numpy wants them and MessagePack has not got."""
    if not isinstance(descr, list) or not nesting:
        raise ValueError("unknown dtype")
    fields: list[tuple[Any, ...]] = []
    for field in descr:
        if not isinstance(field, list | tuple) or len(field) not in (2, 3):
            raise ValueError("unknown dtype")
        name, of, *shape = field
        if isinstance(of, str):
            _parse_plain(of)
        else:
            of = _fields(of, nesting - 1)
        fields.append((tuple(name) if isinstance(name, list) else name, of, *map(tuple, shape)))
    return fields


def scalar(value: np.generic) -> object:
    """Return the Python value of a numpy scalar.

    :raises TypeError: it has none that says as much.
    """
    plain = value.item()
    if isinstance(plain, np.generic) or (isinstance(value, np.datetime64 | np.timedelta64) and isinstance(plain, int)):
        raise TypeError(f"numpy.{type(value).__name__} scalars of dtype {value.dtype} have no Python value: send an array of one")
    return plain


def converted(hint: Any, value: Any) -> Any:
    """Return a decoded value as what a type hint of numpy wants: an array is checked, a number becomes a scalar.

    :raises ValueError: an array has another dtype or number of dimensions, or the number does not fit.
    """
    if isinstance(value, np.ndarray):
        _check(hint, value)
        return value
    if isinstance(hint, type) and issubclass(hint, np.generic):
        return _as_scalar(hint, value)
    return value


def _as_scalar(hint: type[np.generic], value: object) -> object:
    fits = (
        (issubclass(hint, np.bool_) and type(value) is bool)
        or (issubclass(hint, np.integer) and type(value) is int)
        or (issubclass(hint, np.floating) and type(value) in (int, float))
    )
    if not fits:
        return value  # which the decoder refuses
    if type(value) is int and issubclass(hint, np.integer):
        info = np.iinfo(hint)
        if not info.min <= value <= info.max:  # which numpy 1 would wrap
            raise ValueError(f"expected {hint.__name__}: {value} is out of its range")
    return hint(value)


def _check(hint: Any, array: np.ndarray[Any, Any]) -> None:
    dimensions, kinds = wanted(hint)
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"expected an array of {dimensions} dimensions, got one of {array.ndim}")
    if kinds and not issubclass(array.dtype.type, kinds):
        raise ValueError(f"expected an array of {' | '.join(kind.__name__ for kind in kinds)}, got one of {array.dtype}")


@functools.lru_cache(_REMEMBERED)
def wanted(hint: Any) -> tuple[int | None, tuple[type[np.generic], ...]]:
    """Return what a hint such as ``NDArray[np.float32]`` asks for: the number of dimensions or None, and the scalar types, none for any."""
    if get_origin(hint) is not np.ndarray:
        return None, ()
    shape, dtype = get_args(hint)
    sizes = get_args(shape)
    dimensions = len(sizes) if get_origin(shape) is tuple and Ellipsis not in sizes else None
    (kind,) = get_args(dtype) or (Any,)
    kinds = tuple(get_origin(one) or one for one in (get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)))
    if not all(isinstance(kind, type) and issubclass(kind, np.generic) for kind in kinds):
        kinds = ()
    return dimensions, kinds
