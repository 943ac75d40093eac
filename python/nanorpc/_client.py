"""What clients have in common."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from nanorpc._channel import Channel
from nanorpc._line import Line

AnyMethod = TypeVar("AnyMethod")


class BaseClient(ABC, Generic[AnyMethod]):
    """A connection whose service's methods are attributes."""

    def __init__(self, line: Line, timeout: float | None) -> None:
        self._line = line
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<{type(self).__module__.removesuffix('.client')}.Client of {self.service!r}{', closed' if self._channel.closed else ''}>"

    def __del__(self) -> None:
        line = self.__dict__.get("_line")
        if line is not None and not line.channel.closed:
            try:
                warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)
            finally:
                self._end()

    def _end(self) -> None:
        """End the connection, to which nobody refers any more."""
        self._line.close()

    def __getattr__(self, name: str) -> AnyMethod:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method: AnyMethod
        method = self.__dict__[name] = self._method(name)
        return method

    @abstractmethod
    def _method(self, name: str) -> AnyMethod:
        """Return a method of the service."""

    @property
    def _channel(self) -> Channel:
        """The connection that there is now, or was last."""
        return self._line.channel

    def _or_default(self, timeout: float | None) -> float | None:
        """Return the timeout of a call."""
        return self._timeout if timeout is None else timeout

    @property
    def service(self) -> str:
        """The name of the service."""
        return self._channel.service

    @property
    def max_payload(self) -> int:
        """The longest request and reply, in bytes. Another server, after a reconnection, may have another limit."""
        return self._channel.max_payload
