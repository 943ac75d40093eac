"""What wakes an event loop for replies."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from weakref import WeakKeyDictionary, ref


class Reactor:
    """One descriptor of a loop, which the core makes readable when there are replies, for all connections that are used there. Only the loop's
    thread uses it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._collect: list[Callable[[], None]] = []
        self._descriptors: list[int] = []  # the one, until it is closed
        self._descriptors.extend(map(os.eventfd, (0,), (os.EFD_CLOEXEC | os.EFD_NONBLOCK,)))  # without a step between that an exception could end
        loop.add_reader(self.eventfd, self._readable)

    def __del__(self, over: Callable[[], bool] = sys.is_finalizing) -> None:
        if not over():
            self._close()  # a loop that an exception has ended halfway does not close it

    @property
    def eventfd(self) -> int:
        """The descriptor."""
        return self._descriptors[0]

    def add(self, collect: Callable[[], None]) -> None:
        """Have a function called in the loop when there may be replies."""
        self._collect.append(collect)

    def remove(self, collect: Callable[[], None]) -> None:
        """End that. The reactor ends with the last of them."""
        self._collect.remove(collect)
        if not self._collect:
            loop = self._loop()
            if loop is not None:
                if not loop.is_closed():
                    loop.remove_reader(self.eventfd)
                _reactors.pop(loop, None)
            self._close()

    def _close(self) -> None:
        with suppress(IndexError):
            deque(map(os.close, map(self._descriptors.pop, repeat(-1))), 0)

    def _readable(self) -> None:
        try:
            os.eventfd_read(self.eventfd)
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
