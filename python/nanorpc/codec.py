r"""Values as payloads: MessagePack, with numpy arrays beside it.

A payload is one MessagePack value. If there are numpy arrays in the value the payload begins with four bytes that begin no MessagePack::

    0       c1 00 00 00
    4       length of the MessagePack, u32, little-endian
    8       the MessagePack; extension 1 stands for an array: its content is the MessagePack of [descr, shape, offset]
    offset  an array's data in C order, at a multiple of 64

``descr`` is what numpy's files say of a dtype: ``"<f4"``, or a list of fields. Offsets count from the payload's beginning. Between the parts are
zeros. A reader may not rely on the alignment.

Extension 2 is a pickled object. It is neither written nor read unless both ends ask for that: unpickling runs what the peer wants.
"""

from __future__ import annotations

import functools
import pickle as pickling
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nanorpc._arrays import ArrayEncoder, ArrayMessage

ARRAY = 1
"""The extension type of an array."""

PICKLED = 2
"""The extension type of a pickled object."""

MARKER = b"\xc1\0\0\0"
"""What a payload with arrays begins with."""

HEADER = 8
"""Bytes before the MessagePack of a payload with arrays."""

_PATH = re.compile(r"(.*) - at (?:`(key)` in )?`\$(.*)`", re.DOTALL)
_QUOTED = re.compile(r"`(.*?)`")
_WORD = re.compile(r"\b(null|array|object|ext)\b")
_WORDS = {"null": "None", "array": "list", "object": "dict", "ext": "an extension"}


class Malformed(ValueError):
    """A payload is no MessagePack, or not of the type that is expected. ``str()`` has both parts of the message."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{reason} at {path}" if path else reason)
        self.reason = reason
        """Such as "expected int, got str"."""
        self.path = path
        """Where in the value, such as ``[0].name``; empty for the value itself."""


class Codec:
    """Encodes and decodes values. Several threads may use it at once.

    :param pickle: also send and accept pickled objects. Only for peers that trust each other: who sends them runs any code here.
    """

    __slots__ = ("_arrays", "_encode", "_hook", "_pickle")

    def __init__(self, pickle: bool = False) -> None:
        import msgspec

        self._pickle = pickle
        self._hook = _or_pickled if pickle else _plain
        self._arrays: ArrayEncoder | None = None  # made with the first array, as it imports numpy
        self._encode = msgspec.msgpack.Encoder(enc_hook=self._hook).encode

    @property
    def pickle(self) -> bool:
        """Whether pickled objects are sent and accepted."""
        return self._pickle

    def encode(self, value: Any) -> bytes | ArrayMessage:
        """Return a payload, or what will write one if there are numpy arrays in the value and it is long.

        :raises TypeError: there is something in it that cannot be sent.
        :raises OverflowError: there is an int of more than 64 bits in it.
        :raises ValueError: there is a str with surrogates in it, or something longer than 4 GiB that is no array.
        :raises RecursionError: it is nested too deeply, or contains itself.
        """
        try:
            return self._encode(value)
        except _ArrayFound:
            if self._arrays is None:
                self._arrays = _arrays().ArrayEncoder(self._hook, _pickle if self._pickle else None)
            return self._arrays.encode(value)

    def decoder(self, type: Any = Any) -> Decoder:
        """Return a decoder for values of a type. Making one takes long; keep it.

        :param type: a type hint: anything that msgspec decodes, also with ``np.ndarray`` or ``NDArray[np.float32]`` inside.
        :raises TypeError: a type that cannot be decoded.
        """
        return Decoder(self, type)


class Decoder:
    """Decodes payloads to values of one type; made by :meth:`Codec.decoder`. Several threads may use it at once."""

    __slots__ = ("_payload", "_pickle", "decode_plain")

    def __init__(self, codec: Codec, type: Any) -> None:
        import msgspec

        self._pickle = codec.pickle
        self._payload = _Payload()
        self.decode_plain = msgspec.msgpack.Decoder(type, ext_hook=self._extension, dec_hook=_converted).decode
        """Decodes a payload without arrays and raises what msgspec raises; on any exception let :meth:`decode_refused` decide."""

    def decode(self, payload: bytes | memoryview) -> Any:
        """Return the value in a payload. Arrays in it are read-only views of the payload, which they keep.

        In memory that a peer can write to at the same time, only arrays' data may lie: the rest is to be ``bytes``, or is copied before it is
        read if the payload has arrays.

        :raises Malformed: it is no such payload, or the value has not the type.
        """
        try:
            return self.decode_plain(payload)
        except Exception:
            pass
        return self.decode_refused(payload)

    def decode_refused(self, payload: bytes | memoryview) -> Any:
        """Do what :meth:`decode` does, for a payload that :attr:`decode_plain` has refused."""
        if payload[:1] == MARKER[:1]:
            return self.decode_part(message_pack(payload), memoryview(payload))
        try:
            return self.decode_plain(payload)
        except Exception as error:
            raise _malformed(error) from error

    def decode_part(self, packed: bytes | memoryview, payload: memoryview) -> Any:
        """Return the value in MessagePack that is a payload's, or a part of it. Arrays in it are views of the payload.

        :raises Malformed: as :meth:`decode`.
        """
        current = self._payload
        outer, current.view = current.view, payload.toreadonly()
        try:
            return self.decode_plain(packed)
        except Exception as error:
            raise _malformed(error) from error
        finally:
            current.view = outer

    def _extension(self, code: int, content: memoryview) -> Any:
        if code == ARRAY:
            payload = self._payload.view
            if payload is None:
                raise ValueError("an array in a payload without arrays")
            return _arrays().view(payload, content)
        if code == PICKLED:
            return self._unpickle(content)
        from msgspec.msgpack import Ext

        return Ext(code, bytes(content))

    def _unpickle(self, content: memoryview) -> Any:
        if not self._pickle:
            raise ValueError("a pickled object, which is not accepted: ask for pickle at both ends, if they trust each other")
        try:
            return pickling.loads(content)
        except Exception as error:
            raise ValueError(f"a pickled object cannot be read: {type(error).__name__}: {error}") from error


class _ArrayFound(Exception):
    """There are arrays in the value: it has to be encoded in the way that can do that."""


class _Payload(threading.local):
    """The payload that a thread decodes, for the arrays in it."""

    view: memoryview | None = None


def message_pack(payload: bytes | memoryview) -> bytes:
    """Return the MessagePack of a payload with arrays.

    :raises Malformed: the payload is none.
    """
    length = int.from_bytes(payload[4:HEADER], "little")
    if payload[:4] != MARKER or len(payload) < HEADER + length:
        raise Malformed("neither MessagePack nor a payload with arrays")
    return bytes(payload[HEADER : HEADER + length])


@functools.cache
def _arrays() -> Any:
    from nanorpc import _arrays as module

    return module


def _plain(value: Any) -> Any:
    """Encode what msgspec does not know."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            raise _ArrayFound
        if isinstance(value, numpy.generic):
            return _arrays().scalar(value)
    raise TypeError(
        f"{_name(value)} cannot be sent: use None, bool, int, float, str, bytes, list, tuple, dict, set, dataclasses, msgspec.Struct, Enum, "
        "datetime, Decimal, UUID or numpy arrays, or ask for pickle at both ends if they trust each other"
    )


def _or_pickled(value: Any) -> Any:
    """Encode what msgspec does not know, where objects may be pickled."""
    try:
        return _plain(value)
    except TypeError:
        return _pickle(value)


def _pickle(value: Any) -> Any:
    from msgspec.msgpack import Ext

    try:
        return Ext(PICKLED, pickling.dumps(value, protocol=5))
    except Exception as error:
        raise TypeError(f"{_name(value)} cannot be pickled: {error}") from error


def _converted(hint: Any, value: Any) -> Any:
    """Make a value of what msgspec does not know of what has been decoded; what is of the wrong type is refused by msgspec."""
    return _arrays().converted(hint, value) if "numpy" in sys.modules else value


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _malformed(error: Exception) -> Malformed:
    """Return what an exception of the decoder says, in words of Python."""
    if isinstance(error, Malformed):
        return error
    import msgspec

    text = str(error)
    match = _PATH.fullmatch(text) if isinstance(error, msgspec.ValidationError) else None
    key, path = "", ""
    if match:
        text, key, path = match[1], match[2] or "", match[3]
    if text.startswith("Expected "):
        text = "e" + _QUOTED.sub(lambda quoted: _WORD.sub(lambda word: _WORDS[word[0]], quoted[1]), text)[1:]
    elif text.startswith("Object "):
        text = _QUOTED.sub(r"'\1'", text).replace("Object missing required", "missing").replace("Object contains unknown", "unknown")
    elif not isinstance(error, ValueError | msgspec.MsgspecError):
        text = f"{type(error).__name__}: {text}"
    return Malformed(f"key: {text}" if key else text, path)
