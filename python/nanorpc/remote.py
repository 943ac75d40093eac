"""Errors of methods on their way to the caller.

The payload of a failed call is a MessagePack map: "type" and "message" of the exception, "name" if its class is registered under one, and then its
"args" unless they are just the message, and "traceback" if the server sends those. Nothing is imported because a peer names it: an exception
comes back as an instance of its class only if the receiver has registered one under that name, and as a :class:`RemoteError` otherwise.
"""

from __future__ import annotations

import traceback as tracebacks
from collections.abc import Callable
from typing import Any, TypeVar

from nanorpc.errors import BadRequest, InvalidName, RemoteError

LIMIT = 4096
"""The length in bytes below which the payload of a failed call stays."""

Class = TypeVar("Class", bound=type[Exception])

_RESERVED = "nanorpc."
_MAX_NAME = 255
_MAX_TYPE = 200
_MAX_MESSAGE = 2000
_MAX_ARGS = 1000
_OVERHEAD = 64  # keys, and the lengths of values
_CUT = "…"


class ErrorRegistry:
    """Classes of exceptions under the names by which they cross processes. Both ends register what they want to get back as itself.

    An exception is made again with ``cls(*args)``, so its ``args`` must be what its ``__init__`` takes, and such as MessagePack knows. One whose
    class is not registered goes by the name of its nearest base class that is. Register before there are calls; look-ups take any number of
    threads.
    """

    def __init__(self) -> None:
        self._classes: dict[str, type[Exception]] = {"nanorpc.BadRequest": BadRequest}
        self._names: dict[type, str] = {BadRequest: "nanorpc.BadRequest"}

    def register(self, name: str) -> Callable[[Class], Class]:
        """Register a class: ``@registry.register("bank.InsufficientFunds")``. Raises what :meth:`add` does."""

        def add(cls: Class) -> Class:
            self.add(name, cls)
            return cls

        return add

    def add(self, name: str, cls: type[Exception]) -> None:
        """Register a class.

        :param name: 1 to 255 bytes that do not begin with ``nanorpc.``; best with the service's name in front.
        :raises InvalidName: the name cannot be or is taken, or the class has one already.
        :raises TypeError: ``cls`` is no class of exceptions.
        """
        if not isinstance(cls, type) or not issubclass(cls, Exception):
            raise TypeError(f"{cls!r} is no class of exceptions")
        if not 0 < len(name.encode(errors="replace")) <= _MAX_NAME or name.startswith(_RESERVED):
            raise InvalidName(f"error {name!r}: use 1 to {_MAX_NAME} bytes, not beginning with {_RESERVED!r}")
        if name in self._classes:
            raise InvalidName(f"error {name!r} is registered already")
        if cls in self._names:
            raise InvalidName(f"{cls.__qualname__} is registered already, as {self._names[cls]!r}")
        self._classes[name] = cls
        self._names[cls] = name

    def name_of(self, error: BaseException) -> str:
        """Return the name of an exception's class, or of its nearest base class that has one; empty if none has."""
        for cls in type(error).__mro__:
            name = self._names.get(cls)
            if name is not None:
                return name
        return ""

    def class_of(self, name: str) -> type[Exception] | None:
        """Return the class that is registered under a name."""
        return self._classes.get(name)


def encode_error(error: BaseException, registry: ErrorRegistry, traceback: bool = False, limit: int = LIMIT) -> bytes:
    """Return the payload of a call that failed with an exception, shorter than a limit of 200 bytes or more. Raises nothing.

    :param traceback: whether to send that too: its end, as much as there is room for.
    """
    import msgspec  # here, not with the package: few programs see errors

    message = _text(error)
    content: dict[str, Any] = {
        "type": _clip(type(error).__name__, min(_MAX_TYPE, limit // 4)),
        "message": _clip(message, min(_MAX_MESSAGE, limit // 2 - _OVERHEAD // 2)),
    }
    name, args = _identity(error, message, registry)
    if name and len(msgspec.msgpack.encode(content)) + len(name.encode()) + len(args or b"") + _OVERHEAD < limit:
        content["name"] = name
        if args is not None:
            content["args"] = msgspec.Raw(args)
    room = limit - _OVERHEAD - len(msgspec.msgpack.encode(content))
    if traceback and room > _OVERHEAD:
        content["traceback"] = _clip(_traceback(error), room, end=True)
    return msgspec.msgpack.encode(content)


def _identity(error: BaseException, message: str, registry: ErrorRegistry) -> tuple[str, bytes | None]:
    """Return the registered name of an exception and its encoded args; None for these if they are the message."""
    import msgspec

    name = registry.name_of(error)
    if not name or error.args == (message,):
        return name, None
    try:
        args = msgspec.msgpack.encode(error.args)
    except Exception:  # without its args it cannot be made again
        return "", None
    return (name, args) if len(args) <= _MAX_ARGS else ("", None)


def decode_error(payload: bytes | memoryview, registry: ErrorRegistry) -> Exception:
    """Return the exception in the payload of a failed call. What is no such payload is taken for the text of an error. Raises nothing."""
    import msgspec

    try:
        content = msgspec.msgpack.decode(payload, type=dict[str, Any])
        fields = [content.get(key, "") for key in ("type", "message", "name", "traceback")]
        kind, message, name, traceback = [field if isinstance(field, str) else "" for field in fields]
    except Exception:
        return RemoteError(bytes(payload).decode(errors="replace"))
    args = content.get("args", [message])
    error = _registered(registry.class_of(name), args) or RemoteError(message, kind, traceback or None)
    if traceback:
        _add_note(error, f"Traceback of the server:\n{traceback}")
    return error


def _registered(cls: type[Exception] | None, args: Any) -> Exception | None:
    if cls is None or not isinstance(args, list):
        return None
    try:
        return cls(*args)
    except Exception:  # another version of the class may take something else
        return None


def _add_note(error: Exception, note: str) -> None:
    if hasattr(error, "add_note"):  # from Python 3.11 on
        error.add_note(note)
    else:
        error.__notes__ = [note]  # type: ignore[attr-defined]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be had)"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(tracebacks.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return "(its traceback cannot be had)"


def _clip(text: str, limit: int, *, end: bool = False) -> str:
    """Return the beginning or the end of a text, not longer than a limit in bytes."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    room = limit - len(_CUT.encode())
    return _CUT + data[-room:].decode(errors="ignore") if end else data[:room].decode(errors="ignore") + _CUT
