"""What a client and all its methods use. It does not refer to the client, which is to end when nobody refers to that."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from nanorpc._channel import Channel
from nanorpc._line import Line
from nanorpc._loader import check_fork
from nanorpc.errors import UnknownMethod
from nanorpc.introspection import DESCRIBE, MethodInfo, ServiceInfo, decode

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer, Parts
    from nanorpc.codec import Codec

_DESCRIBE_TIMEOUT = 5.0
"""Seconds."""


def described(service: str, answer: bytes) -> ServiceInfo:
    """Return what a server says of itself.

    :raises Incompatible: the answer is not understood.
    """
    return decode(service, answer, ServiceInfo)


def info_of(methods: list[MethodInfo], name: str) -> MethodInfo:
    """Return one of the methods.

    :raises UnknownMethod: there is none of this name.
    """
    for info in methods:
        if info.name == name:
            return info
    raise UnknownMethod(f"the service has no method {name!r}")


def positional(info: MethodInfo) -> list[str]:
    """Return the names of the arguments that may be given by position."""
    return [parameter.name for parameter in info.parameters if not parameter.keyword_only]


class Call(Protocol):
    """Makes a call: see :meth:`Channel.call`."""

    def __call__(self, method: str, payload: Buffer | Parts = ..., *, timeout: float | None = ..., keep: bool = ...) -> bytes: ...


class Tools:
    """Made when first needed, as each imports what many programs do not. May be used by several threads at once."""

    def __init__(self, line: Line, pickle: bool) -> None:
        self.line = line
        self.call: Call = line.channel.caller() if line.patience is None else line.call
        self._pickle = pickle
        self._codec: Codec | None = None
        self._methods: tuple[Channel, list[MethodInfo]] | None = None  # of the server at the other end of a connection

    @property
    def codec(self) -> Codec:
        """What encodes values."""
        if self._codec is None:
            from nanorpc.codec import Codec

            self._codec = Codec(pickle=self._pickle)
        return self._codec

    def future(self, method: str, payload: Buffer | Parts, timeout: float | None, convert: Callable[[bytes], Any]) -> Future[Any]:
        """Make a call whose reply no thread waits for. Blocks only while all slots are in use, there is no room for the request, or no server."""
        check_fork()  # before the import, which may wait for a thread that is not in a forked process
        from nanorpc._collector import collector_of

        end = None if timeout is None else time.monotonic() + timeout
        collector = collector_of(self.line.live(timeout))
        return collector.start(method, payload, None if end is None else end - time.monotonic(), convert)

    def info(self, method: str) -> MethodInfo:
        """Return what the server says of a method. Blocks, the first time, until it has answered.

        :raises UnknownMethod: there is none of this name.
        """
        known = self._methods
        if known is None or known[0] is not self.line.channel:
            answer = self.call(DESCRIBE, timeout=_DESCRIBE_TIMEOUT)
            known = self._methods = (self.line.channel, described(self.line.channel.service, answer).details)
        return info_of(known[1], method)

    def bind(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the request for a call: the positional arguments, or, if there are others, all by their names."""
        if not kwargs:
            return args
        if not args:
            return kwargs
        from nanorpc.schema import bind

        return bind(positional(self.info(method)), args, kwargs, method)
