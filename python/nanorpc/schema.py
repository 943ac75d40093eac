"""What methods take: the arguments in requests, checked against the type hints of functions.

A request is a payload of :mod:`nanorpc.codec`: a list of the arguments, or a dict of them by name. No bytes at all are no arguments.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter as Declared
from typing import TYPE_CHECKING, Any, get_origin

from nanorpc._declared import context_of, declared, doc_of, hints_of, is_array, is_async, text_of, unaliased
from nanorpc.codec import MARKER, Codec, Malformed, message_pack
from nanorpc.errors import BadRequest

if TYPE_CHECKING:
    from nanorpc.codec import Decoder
    from nanorpc.context import Context

_FIX_ARRAY = 0x90
_FIX_MAP = 0x80
_FIX_MAX = 15
_ARRAY_16, _ARRAY_32, _MAP_16, _MAP_32 = range(0xDC, 0xE0)
_LONG_DEFAULT = 60


@dataclass(frozen=True)
class Parameter:
    """An argument that a method takes."""

    name: str
    type: str
    """Its type hint as one writes it; "Any" without one."""
    required: bool
    default: Any
    """None if it is required."""
    keyword_only: bool
    schema: dict[str, Any]
    """The JSON schema of its type; empty if there is none."""

    def __str__(self) -> str:
        if self.required:
            return f"{self.name}: {self.type}"
        default = repr(self.default)
        return f"{self.name}: {self.type} = {default if len(default) <= _LONG_DEFAULT else '...'}"

    def describe(self) -> dict[str, Any]:
        """Return what :attr:`Signature.parameters` says as values of JSON. There is no "default" if it has no such value."""
        description = {"name": self.name, "type": self.type, "required": self.required, "keyword_only": self.keyword_only, "schema": self.schema}
        if not self.required:
            with contextlib.suppress(TypeError, ValueError, OverflowError, RecursionError):
                description["default"] = _json_value(self.default)
        return description


class Signature:
    """What a function takes and returns; made by :meth:`of`. Immutable: several threads may use it at once."""

    __slots__ = (
        "_codec",
        "_context_index",
        "_decoders",
        "_named",
        "_names",
        "_types",
        "_unset",
        "context",
        "doc",
        "fast",
        "is_async",
        "name",
        "parameters",
        "returns",
    )

    name: str
    """The name of the method, for messages."""
    parameters: tuple[Parameter, ...]
    """In order, without the :class:`Context`."""
    returns: str
    """The type hint of what it returns as one writes it; empty without one."""
    context: str | None
    """The name of the parameter that is to be the call's :class:`Context`."""
    is_async: bool
    """Whether it is a coroutine function."""
    doc: str
    """The first paragraph of its docstring."""

    @classmethod
    def of(cls, function: Callable[..., Any], codec: Codec, name: str = "") -> Signature:
        """Return the signature of a function. Takes long: decoders are made.

        :param codec: for the arguments.
        :param name: of the method; else the function's.
        :raises TypeError: it has parameters that cannot be sent, or hints that cannot be understood.
        """
        return cls(function, codec, name or getattr(function, "__name__", type(function).__name__))

    def __init__(self, function: Callable[..., Any], codec: Codec, name: str) -> None:
        self.name = name
        signature = declared(function, name)
        try:
            hints = hints_of(function)
        except Exception as error:
            raise TypeError(f"the hints of method {name!r} cannot be understood: {type(error).__name__}: {error}") from error
        self.context = context_of(signature, hints, name)
        self.is_async = is_async(function)
        self.doc = doc_of(function)
        returns = signature.return_annotation
        self.returns = "" if returns is signature.empty else text_of(returns)
        arguments = [parameter for parameter in signature.parameters.values() if parameter.name != self.context]
        types = {parameter.name: hints.get(parameter.name, Any) for parameter in arguments}
        self.parameters = tuple(_parameter(argument, types[argument.name], codec, name) for argument in arguments)
        positional = [parameter for parameter in signature.parameters.values() if parameter.kind is not Declared.KEYWORD_ONLY]
        at = [index for index, parameter in enumerate(positional) if parameter.name == self.context]
        self._context_index = at[0] if at else None
        self._codec = codec
        self._names = tuple(parameter.name for parameter in self.parameters if not parameter.keyword_only)
        self._types = tuple(types[argument] for argument in self._names)
        self._decoders: dict[int, Decoder] = {}
        """Of positional arguments, by how many there are. Others are made when they are first needed."""
        self.fast: dict[int, Callable[[bytes | memoryview], Any]] = {MARKER[0]: self._decode_with_arrays}
        """Decode positional arguments, by the first byte of the payload. On any exception let :meth:`decode_otherwise` decide."""
        self._make_decoders(types)

    def _make_decoders(self, types: dict[str, Any]) -> None:
        import msgspec

        fields = [
            (parameter.name, types[parameter.name]) if parameter.required else (parameter.name, types[parameter.name], msgspec.UNSET)
            for parameter in self.parameters
        ]
        self._unset = msgspec.UNSET
        named = msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, kw_only=True, gc=False)
        self._named = self._codec.decoder(named)
        if any(parameter.required and parameter.keyword_only for parameter in self.parameters):
            return
        required = sum(parameter.required for parameter in self.parameters)
        for count in range(required, min(len(self._names), _FIX_MAX) + 1):
            self.fast[_FIX_ARRAY | count] = self._decoder(count).decode_plain

    def _decoder(self, count: int) -> Decoder:
        """Return a decoder for a list of so many arguments."""
        decoder = self._decoders.get(count)
        if decoder is None:
            decoder = self._decoders[count] = self._codec.decoder(tuple[self._types[:count]])  # type: ignore[misc]
        return decoder

    def __str__(self) -> str:
        parts = [str(parameter) for parameter in self.parameters]
        if len(self._names) < len(parts):
            parts.insert(len(self._names), "*")
        return f"({', '.join(parts)}){f' -> {self.returns}' if self.returns else ''}"

    def __repr__(self) -> str:
        return f"<nanorpc.Signature {self.name}{self}>"

    def decode_arguments(self, payload: bytes | memoryview) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments in a request, positional ones and others, without the context: see :meth:`with_context`.

        Arrays are read-only views of the payload. Of memory that a peer can write to at the same time, see :meth:`Decoder.decode`.

        :raises BadRequest: they are not those that the function takes.
        """
        try:
            return self.fast[payload[0]](payload), {}
        except Exception:  # whatever it is: the long way decides
            pass
        return self.decode_otherwise(payload)

    def _decode_with_arrays(self, payload: bytes | memoryview) -> Any:
        packed = message_pack(payload)
        return self._decoders[packed[0] ^ _FIX_ARRAY].decode_part(packed, memoryview(payload))

    def decode_otherwise(self, payload: bytes | memoryview) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Do what :meth:`decode_arguments` does, for a payload that none of :attr:`fast` decodes."""
        try:
            count = _list_length(payload)
            if count is None:
                return (), self._decode_named(payload)
            self._check_count(count)
            return (self._decoder(count).decode(payload) if len(payload) else ()), {}
        except Malformed as error:
            raise BadRequest(self._explain(error)) from error

    def with_context(self, args: tuple[Any, ...], kwargs: dict[str, Any], context: Context) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments with the context at its place among them. The function must want one."""
        index = self._context_index
        if index is not None and index <= len(args):
            return (*args[:index], context, *args[index:]), kwargs
        return args, {**kwargs, str(self.context): context}

    def describe(self) -> dict[str, Any]:
        """Return "parameters", "returns", "doc" and "async" as values of JSON."""
        parameters = [parameter.describe() for parameter in self.parameters]
        return {"parameters": parameters, "returns": self.returns, "doc": self.doc, "async": self.is_async}

    def _decode_named(self, payload: bytes | memoryview) -> dict[str, Any]:
        values = self._named.decode(payload)
        return {name: value for name in values.__struct_fields__ if (value := getattr(values, name)) is not self._unset}

    def _check_count(self, count: int) -> None:
        takes = len(self._names)
        if count > takes:
            raise BadRequest(f"{self.name} takes {takes} argument{'s' * (takes != 1)}{' by position' * (takes < len(self.parameters))}, got {count}")
        for index, parameter in enumerate(self.parameters):
            if parameter.required and (index >= count or parameter.keyword_only):
                raise BadRequest(f"missing argument {parameter.name!r}; {self.name} takes {self._takes()}")

    def _takes(self) -> str:
        return str(self).partition(" -> ")[0]

    def _explain(self, error: Malformed) -> str:
        """Return what is wrong with which argument."""
        path = error.path
        if path.startswith("["):
            number, _, rest = path[1:].partition("]")
            path = f"{self._names[int(number)]}{rest}" if number.isdigit() else path
        path = path.removeprefix(".")
        if path:
            return f"argument {path!r}: {error.reason}"
        kind, _, field = error.reason.partition(" field ")
        if field and kind in ("missing", "unknown"):
            return f"{kind} argument {field}; {self.name} takes {self._takes()}"
        return f"{self.name}: {error.reason}"


def bind(names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any], method: str = "the method") -> tuple[Any, ...] | dict[str, Any]:
    """Return what a client sends for arguments: a list of them if none is named, otherwise a dict.

    :param names: of the parameters that may be given by position. Needed only for a mix of both.
    :param method: its name, for messages.
    :raises BadRequest: there are more arguments than names, or one is given twice.
    """
    if not kwargs:
        return args
    if not args:
        return kwargs
    if len(args) > len(names):
        raise BadRequest(f"{method} takes {len(names)} argument{'s' * (len(names) != 1)} by position, got {len(args)}")
    named = dict(zip(names, args, strict=False))
    for name in kwargs:
        if name in named:
            raise BadRequest(f"argument {name!r} of {method} is given twice")
    return named | kwargs


def _list_length(payload: bytes | memoryview) -> int | None:
    """Return how many arguments a request lists; None if it has a dict of them.

    :raises Malformed: it has neither.
    """
    if not len(payload):
        return 0
    packed = message_pack(payload) if payload[0] == MARKER[0] else payload
    first = packed[0] if len(packed) else 0
    if first & 0xF0 == _FIX_ARRAY:
        return first & _FIX_MAX
    if first in (_ARRAY_16, _ARRAY_32):
        return int.from_bytes(packed[1 : 3 if first == _ARRAY_16 else 5], "big")
    if first & 0xF0 == _FIX_MAP or first in (_MAP_16, _MAP_32):
        return None
    raise Malformed("the arguments are neither a list nor a dict")


def _parameter(argument: Declared, hint: Any, codec: Codec, method: str) -> Parameter:
    required = argument.default is argument.empty
    try:
        schema = _schema(hint, codec)
    except TypeError as error:
        raise TypeError(f"argument {argument.name!r} of method {method!r}: {error}") from error
    return Parameter(
        name=argument.name,
        type="Any" if argument.annotation is argument.empty else text_of(argument.annotation),
        required=required,
        default=None if required else argument.default,
        keyword_only=argument.kind is Declared.KEYWORD_ONLY,
        schema=schema,
    )


def _schema(hint: Any, codec: Codec) -> dict[str, Any]:
    """Return the JSON schema of a type hint, and refuse classes of which no value can be received.

    :raises TypeError: it is no type that can be decoded.
    """
    import msgspec

    def custom(kind: type) -> dict[str, Any]:
        known = _numpy_schema(kind)
        if known is None and not codec.pickle and not _is_plain(kind):
            raise _NotSent(f"objects of {kind.__qualname__} cannot be sent: use a dataclass or a msgspec.Struct, or ask for pickle at both ends")
        return known or {}

    try:
        schema = msgspec.json.schema(hint, schema_hook=custom)
    except _NotSent:
        raise
    except TypeError:
        codec.decoder(hint)  # it may be a type without a schema, or none at all
        return {}
    return {**schema, **_dtype_of(hint)} if schema.get("type") == "array" else schema


class _NotSent(TypeError):
    """There are no values of a class."""


def _numpy_schema(kind: type) -> dict[str, Any] | None:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    for known, name in ((numpy.ndarray, "array"), (numpy.bool_, "boolean"), (numpy.integer, "integer"), (numpy.floating, "number")):
        if issubclass(kind, known):
            return {"type": name}
    return None


def _dtype_of(hint: Any) -> dict[str, str]:
    hint = unaliased(hint)
    if not is_array(get_origin(hint)):
        return {}
    from nanorpc._arrays import wanted

    kinds = wanted(hint)[1]
    return {"x-numpy-dtype": " | ".join(kind.__name__ for kind in kinds)} if kinds else {}


def _is_plain(kind: type) -> bool:
    """Whether values that are sent as themselves are instances of a class, such as ``object`` or ``Iterable``."""
    try:
        return any(issubclass(plain, kind) for plain in (bool, int, float, str, bytes, list, tuple, dict, set, type(None)))
    except TypeError:  # a protocol that cannot be checked
        return False


def _json_value(value: Any) -> Any:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(value))
