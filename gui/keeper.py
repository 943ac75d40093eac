"""What is kept on the disk, by a thread that does nothing else: the window does not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from PyQt5.QtCore import QObject

from nanorpc.gui.workers import Workers


class Closable(Protocol):
    """Something that is closed at the end."""

    def close(self) -> None:
        """Close it."""


Store = TypeVar("Store", bound=Closable)


class Keeper(Generic[Store]):
    """Opens a store when it is first used.

    :param opened: opens it; may fail, and is then tried again the next time.
    """

    def __init__(self, parent: QObject, opened: Callable[[], Store]) -> None:
        self._workers = Workers(parent, threads=1)
        self._opened = opened
        self._store: Store | None = None  # the worker's

    def start(self, work: Callable[[Store], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Do something with the store after all that has been asked for before, and then call ``done``, or ``failed``, in the window's thread."""

        def with_store() -> Any:
            if self._store is None:
                self._store = self._opened()
            return work(self._store)

        self._workers.start(with_store, done, failed)

    def close(self) -> None:
        """Finish writing."""
        self._workers.wait(5)
        if self._store is not None:
            self._store.close()
            self._store = None
