"""What a server offers: functions under names, before there is a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from nanorpc._declared import context_of, declared, doc_of, hints_of, is_async
from nanorpc.context import Context
from nanorpc.errors import InvalidName, NanoRPCError
from nanorpc.remote import ErrorRegistry

if TYPE_CHECKING:
    from nanorpc import schema
    from nanorpc.codec import Codec

Function = TypeVar("Function", bound="Callable[..., Any]")

Kind = Literal["typed", "bytes", "raw"]
"""How a method gets its request: as arguments, as bytes, or in place together with the memory for the reply."""

_RESERVED = "nanorpc."
_MAX_NAME = 255
_RAW_KINDS: dict[int, Kind] = {1: "bytes", 2: "raw"}


@dataclass(frozen=True)
class Method:
    """A function that is registered."""

    name: str
    function: Callable[..., Any]
    kind: Kind
    idempotent: bool
    """Whether calling it twice does no more than calling it once."""
    is_async: bool
    context: str | None
    """The name of the parameter that is to be the call's :class:`Context`, as far as its hints can be understood when it is registered."""
    signature: schema.Signature | None = None
    """What a typed method takes and returns; None for other kinds, and until the service is frozen."""

    def describe(self) -> dict[str, Any]:
        """Return what callers may want to know, as values of JSON."""
        what = (
            self.signature.describe() if self.signature else {"parameters": [], "returns": "", "doc": doc_of(self.function), "async": self.is_async}
        )
        return {"name": self.name, "kind": self.kind, **what, "idempotent": self.idempotent}


class Service:
    """A named set of methods, which servers run.

    Register the methods in one thread; the rest may be used by several at once.

    :param name: under which clients find it.
    :param version: of the service, in whatever way its author counts.
    :param errors: the exceptions that reach callers as themselves.
    :param doc: what it is for.
    """

    def __init__(self, name: str, *, version: str = "", errors: ErrorRegistry | None = None, doc: str = "") -> None:
        self._name = name
        self._version = version
        self._errors = ErrorRegistry() if errors is None else errors
        self._doc = doc
        self._methods: dict[str, Method] = {}
        self._frozen = False

    def __repr__(self) -> str:
        return f"<nanorpc.Service {self._name!r} with {', '.join(self._methods) or 'no methods'}>"

    @property
    def name(self) -> str:
        """The name under which clients find it."""
        return self._name

    @property
    def version(self) -> str:
        """The version of the service; may be empty."""
        return self._version

    @property
    def doc(self) -> str:
        """What it is for; may be empty."""
        return self._doc

    @property
    def errors(self) -> ErrorRegistry:
        """The exceptions that reach callers as themselves."""
        return self._errors

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by their names, in the order in which they were registered. Read-only."""
        return MappingProxyType(self._methods)

    @overload
    def method(self, function: Function) -> Function: ...
    @overload
    def method(self, *, name: str | None = None, idempotent: bool = False, raw: bool = False) -> Callable[[Function], Function]: ...
    def method(
        self, function: Function | None = None, *, name: str | None = None, idempotent: bool = False, raw: bool = False
    ) -> Function | Callable[[Function], Function]:
        """Register a function: ``@service.method``, or ``@service.method(name="other", idempotent=True)``.

        Callers give its arguments by position or by name, and they are checked against its type hints. It may be a coroutine function. A
        parameter with the hint :class:`nanorpc.Context` is no argument: it gets the call's context.

        With ``raw=True`` nothing is encoded. A function of one parameter gets the request as ``bytes`` and returns anything with the buffer
        protocol, or ``None`` for an empty reply. A function of two gets the request in place and what gives it memory for the reply. A Context
        comes after these.

        :param name: the method's, if not the function's: 1 to 255 bytes, not beginning with ``nanorpc.``.
        :param idempotent: calling it twice does no more than calling it once, so that callers may try again.
        :param raw: requests and replies are bytes.
        :raises InvalidName: the name cannot be or is taken.
        :raises TypeError: no caller could give the function what it takes.
        :raises NanoRPCError: the service is frozen.
        """

        def register(function: Function) -> Function:
            self._register(function, name, idempotent, raw)
            return function

        return register if function is None else register(function)

    def freeze(self, codec: Codec) -> Mapping[str, Method]:
        """Allow no more methods, and return them with their signatures; a server does so when it starts. Takes long: decoders are made.

        :attr:`methods` has the signatures from then on. Another server may freeze the service again, with another codec.

        :raises TypeError: a method has parameters that cannot be sent, or hints that cannot be understood.
        """
        from nanorpc.schema import Signature as MethodSignature

        methods = {}
        for name, method in self._methods.items():
            if method.kind == "typed":
                signature = MethodSignature.of(method.function, codec, name)
                methods[name] = dataclasses.replace(method, signature=signature, context=signature.context)
            else:
                methods[name] = method
        self._methods = methods
        self._frozen = True
        return MappingProxyType(methods)

    def _register(self, function: Callable[..., Any], name: str | None, idempotent: bool, raw: bool) -> None:
        name = _checked_name(function, name)
        if self._frozen:
            raise NanoRPCError(f"register {name!r} before the server runs")
        if name in self._methods:
            raise InvalidName(f"method {name!r} is registered already")
        signature = declared(function, name)
        context = context_of(signature, _known_hints(function, signature), name)
        kind = _raw_kind(signature, context, name) if raw else "typed"
        if kind == "raw" and is_async(function):
            raise TypeError(f"raw method {name!r} is a coroutine function: its memory is its own only while it runs")
        self._methods[name] = Method(name, function, kind, idempotent, is_async(function), context)


def _checked_name(function: Callable[..., Any], name: str | None) -> str:
    if name is None:
        name = getattr(function, "__name__", "")
        if not name:
            raise InvalidName(f"{function!r} has no name: give it one with name=")
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        length = 0
    if not 0 < length <= _MAX_NAME or name.startswith(_RESERVED):
        raise InvalidName(f"method {name!r}: use 1 to {_MAX_NAME} bytes, not beginning with {_RESERVED!r}")
    return name


def _known_hints(function: Callable[..., Any], signature: Signature) -> dict[str, Any]:
    """Return the type hints; if they name what is yet to be defined, only those for a context, going by the name."""
    try:
        return hints_of(function)
    except Exception:
        parameters = signature.parameters.values()
        return {parameter.name: Context for parameter in parameters if str(parameter.annotation).rpartition(".")[2] == "Context"}


def _raw_kind(signature: Signature, context: str | None, name: str) -> Kind:
    parameters = list(signature.parameters.values())
    given = [parameter for parameter in parameters if parameter.name != context]
    kind = _RAW_KINDS.get(len(given))
    if kind is None or any(parameter.kind is Parameter.KEYWORD_ONLY for parameter in given):
        raise TypeError(f"raw method {name!r} takes ({', '.join(signature.parameters)}): declare (request) or (request, out), and perhaps a Context")
    if given != parameters[: len(given)]:
        raise TypeError(f"raw method {name!r}: the Context comes last")
    return kind
