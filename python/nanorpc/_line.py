"""How a client gets from one connection to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nanorpc._channel import Channel
from nanorpc.errors import (
    ClientClosed,
    DeadlineExceeded,
    InvalidOption,
    ServerGone,
    ServerNotFound,
    SharedMemoryExhausted,
    Status,
    exception,
    status_of,
)

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer, Parts

CONNECT_TIMEOUT = 5.0
"""Seconds that connecting may take unless something else is said."""

_FIRST_LOOK = 0.001
"""After how many seconds a client whose server has gone looks again whether there is another; then after twice as long each time, up to:"""
_SELDOM_LOOKS = 0.05

_PASSING = (ServerNotFound, ServerGone, SharedMemoryExhausted, DeadlineExceeded)
"""What connecting raises where it may soon be otherwise: there is no server yet, it has just died, has no room, or does not answer."""

Attempt = Callable[[float], Channel]
"""Connects, in a time given in seconds. It raises :class:`ClientClosed` when it has been given up."""


def checked_patience(reconnect: float | None) -> float | None:
    """Return how many seconds calls may wait for a new server, None for no reconnection.

    :raises InvalidOption: it is no positive number.
    """
    if reconnect is None:
        return None
    try:
        if reconnect > 0:
            return float(reconnect)
    except TypeError:
        pass
    raise InvalidOption(f"reconnect={reconnect!r}: use the seconds for which calls may wait for a new server, or None")


class Line:
    """A client's connection: the only one, or, with patience, one after the other. May be used by several threads at once."""

    def __init__(self, channel: Channel, attempt: Attempt, patience: float | None, given_up: threading.Event) -> None:
        self.channel = channel
        self.patience = patience
        self.given_up = given_up  # set: nobody is to connect any more
        self._attempt = attempt
        self._turn = threading.Lock()  # held by who connects

    def call(self, method: str, payload: Buffer | Parts = b"", *, timeout: float | None = None, keep: bool = False) -> bytes:
        """Do what :meth:`Channel.call` does, on another connection if this one had ended before the request was sent. A client without patience calls
        its only channel itself: see :class:`Tools`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            channel = self.channel
            try:
                return channel.call(method, payload, timeout=timeout, keep=keep)
            except ServerGone as error:
                if error.sent:
                    raise
            except ClientClosed as error:
                if error.sent or self.channel is channel:  # else another thread has connected meanwhile
                    raise
            self._renew(channel, end)
            if end is not None:
                timeout = end - time.monotonic()

    def live(self, timeout: float | None) -> Channel:
        """Return the connection, or the next one if it has ended and there may be others. Blocks until there is a server then.

        :raises ServerGone: there has been none for as long as the client's patience.
        :raises DeadlineExceeded: there was none in time.
        """
        if self.patience is None or not self.over(self.channel):
            return self.channel
        return self._renew(self.channel, None if timeout is None else time.monotonic() + timeout)

    def over(self, channel: Channel) -> bool:
        """Whether a connection has ended by itself."""
        if channel.closed:
            return False
        result: int = channel.core.pycore_ClientOver(channel.handle)
        return result != 0 and status_of(result) != Status.CLOSED

    def _renew(self, old: Channel, end: float | None) -> Channel:
        """Return the connection after one that has ended. One thread connects; the others wait for it, each no longer than it would itself."""
        assert self.patience is not None
        patience = time.monotonic() + self.patience
        limit = patience if end is None else min(patience, end)
        if not self._turn.acquire(timeout=max(limit - time.monotonic(), 0)):
            raise self._missed(limit < patience)
        try:
            if self.channel is old:
                self.adopt(self.next(limit, limit < patience))
            return self.channel
        finally:
            self._turn.release()

    def next(self, limit: float, deadline: bool) -> Channel:
        """Connect, by a time of :func:`time.monotonic`, which may be a call's deadline rather than the end of the client's patience. Blocks."""
        pause = _FIRST_LOOK
        while True:
            if self.given_up.is_set():
                raise exception(Status.CLOSED)
            left = limit - time.monotonic()
            try:
                return self._attempt(max(min(left, CONNECT_TIMEOUT), _FIRST_LOOK))
            except _PASSING as error:
                if time.monotonic() + pause >= limit:
                    raise self._missed(deadline) from error
            self.given_up.wait(pause)
            pause = min(2 * pause, _SELDOM_LOOKS)

    def adopt(self, channel: Channel) -> None:
        """Make a connection the client's, unless that has been closed."""
        ended, self.channel = self.channel, channel
        ended.close()  # its memory goes
        if self.given_up.is_set():  # after the store: close looks at the connection after it has set this
            channel.close()
            raise exception(Status.CLOSED)

    def _missed(self, deadline: bool) -> DeadlineExceeded | ServerGone:
        if deadline:
            error: DeadlineExceeded | ServerGone = DeadlineExceeded("the server has gone, and there was no other in time")
        else:
            error = ServerGone(f"the server has gone, and there has been no other for {self.patience:g} s")
        error.sent = False
        return error

    def close(self) -> None:
        """End the connection, and let there be no other. Closing again does nothing."""
        self.given_up.set()
        self.channel.close()
