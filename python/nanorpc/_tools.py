"""What a client and all its methods use. It does not refer to the client, which is to end when nobody refers to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanorpc._channel import Channel
from nanorpc._loader import check_fork
from nanorpc.errors import UnknownMethod
from nanorpc.introspection import DESCRIBE, MethodInfo, ServiceInfo, decode

if TYPE_CHECKING:
    from nanorpc._collector import Collector
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


class Tools:
    """Made when first needed, as each imports what many programs do not. May be used by several threads at once."""

    def __init__(self, channel: Channel, pickle: bool) -> None:
        self.channel = channel
        self._pickle = pickle
        self._codec: Codec | None = None
        self._methods: list[MethodInfo] | None = None

    @property
    def codec(self) -> Codec:
        """What encodes values."""
        if self._codec is None:
            from nanorpc.codec import Codec

            self._codec = Codec(pickle=self._pickle)
        return self._codec

    @property
    def collector(self) -> Collector:
        """What ends futures."""
        collector = self.channel.collector
        if collector is None:
            check_fork()  # before the import, which may wait for a thread that is not in a forked process
            from nanorpc._collector import collector_of

            collector = collector_of(self.channel)
        return collector

    def info(self, method: str) -> MethodInfo:
        """Return what the server says of a method. Blocks, the first time, until it has answered.

        :raises UnknownMethod: there is none of this name.
        """
        if self._methods is None:
            self._methods = described(self.channel.service, self.channel.call(DESCRIBE, timeout=_DESCRIBE_TIMEOUT)).details
        return info_of(self._methods, method)

    def bind(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the request for a call: the positional arguments, or, if there are others, all by their names."""
        if not kwargs:
            return args
        if not args:
            return kwargs
        from nanorpc.schema import bind

        return bind(positional(self.info(method)), args, kwargs, method)
