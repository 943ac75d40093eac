"""What a method may ask of the call that it answers."""

from __future__ import annotations

import time
from collections.abc import Callable


class Peer:
    """Who calls. Made by the server.

    :param connection: the connection's number, which no other connection of this server has.
    :param pid: returns the client's process id; called once, when somebody asks.
    """

    __slots__ = ("_ask_pid", "_pid", "connection")

    connection: int
    """The connection's number, which no other connection of this server has."""

    def __init__(self, connection: int, pid: Callable[[], int]) -> None:
        self.connection = connection
        self._ask_pid = pid
        self._pid: int | None = None

    def __repr__(self) -> str:
        return f"<nanorpc.Peer {self.pid} on connection {self.connection}>"

    @property
    def pid(self) -> int:
        """The client's process id; 0 if that is in a PID namespace into which the server does not see."""
        if self._pid is None:
            self._pid = self._ask_pid()
        return self._pid


class Context:
    """The call that a method answers: declare a parameter ``ctx: nanorpc.Context`` to get it. Made by the server.

    May be used from any thread, until the call has been answered.

    :param service: the service's name.
    :param method: the method's name.
    :param deadline_ns: when the caller stops waiting, in ns of ``CLOCK_MONOTONIC``; 0: never.
    :param connection: the connection's number.
    :param pid: returns the client's process id.
    :param cancelled: returns whether nobody waits for the reply any more.
    """

    __slots__ = ("_cancelled", "_deadline_ns", "_peer", "_pid", "connection", "method", "service")

    connection: int
    """The number of the connection, as in :attr:`peer`."""
    method: str
    """The name under which the method was called."""
    service: str
    """The name of the service."""

    def __init__(self, service: str, method: str, deadline_ns: int, connection: int, pid: Callable[[], int], cancelled: Callable[[], bool]) -> None:
        self.service = service
        self.method = method
        self.connection = connection
        self._deadline_ns = deadline_ns
        self._pid = pid
        self._cancelled = cancelled
        self._peer: Peer | None = None

    def __repr__(self) -> str:
        return f"<nanorpc.Context of a call of {self.method!r} of {self.service!r}>"

    @property
    def peer(self) -> Peer:
        """Who calls."""
        if self._peer is None:
            self._peer = Peer(self.connection, self._pid)
        return self._peer

    @property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in seconds of :func:`time.monotonic`; None: never."""
        return self._deadline_ns / 1e9 if self._deadline_ns else None

    @property
    def remaining(self) -> float | None:
        """How many seconds the caller still waits, not below 0; None: for ever."""
        return max(self._deadline_ns - time.monotonic_ns(), 0) / 1e9 if self._deadline_ns else None

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the reply any more: the deadline has passed, or the caller has given up or is gone."""
        return (self._deadline_ns != 0 and time.monotonic_ns() >= self._deadline_ns) or self._cancelled()
