"""What wakes an event loop for replies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from weakref import WeakKeyDictionary


class Reactor:
    """One descriptor of a loop, which the core makes readable when there are replies, for all connections that are used there. Only the loop's
    thread uses it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._collect: list[Callable[[], None]] = []
        loop.add_reader(self._eventfd, self._readable)

    @property
    def eventfd(self) -> int:
        """The descriptor."""
        return self._eventfd

    def add(self, collect: Callable[[], None]) -> None:
        """Have a function called in the loop when there may be replies."""
        self._collect.append(collect)

    def remove(self, collect: Callable[[], None]) -> None:
        """End that. The reactor ends with the last of them."""
        self._collect.remove(collect)
        if not self._collect:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._eventfd)
            os.close(self._eventfd)
            _reactors.pop(self._loop, None)

    def _readable(self) -> None:
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return
        for collect in self._collect[:]:
            collect()


_reactors: WeakKeyDictionary[asyncio.AbstractEventLoop, Reactor] = WeakKeyDictionary()
"""As asyncio keeps its tasks: loops take no attributes."""


def reactor_of(loop: asyncio.AbstractEventLoop) -> Reactor:
    """Return the loop's reactor. Only the loop's thread calls it."""
    reactor = _reactors.get(loop)
    if reactor is None:
        reactor = _reactors[loop] = Reactor(loop)
    return reactor
