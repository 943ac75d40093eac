"""Work off the window's thread, whose answers come back to it as signals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal


class _Answer(QObject):
    done = pyqtSignal(object)
    failed = pyqtSignal(object)


class Workers(QObject):
    """Threads that work for a widget. Python's, as Qt's own pool waits for its threads with the interpreter's lock held.

    :param pool: the threads, where several share them.
    """

    def __init__(self, parent: QObject, threads: int = 4, pool: ThreadPoolExecutor | None = None) -> None:
        super().__init__(parent)
        self._pool = pool or ThreadPoolExecutor(max_workers=threads, thread_name_prefix="nanorpc-gui")
        self._open: dict[Future[Any], _Answer] = {}

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Run ``work`` in a thread, and then ``done`` with its result, or ``failed`` with its exception, in the window's thread."""
        answer = _Answer()
        answer.done.connect(done)
        answer.failed.connect(failed)
        future = self._pool.submit(_work, work, answer)
        self._open = {other: kept for other, kept in self._open.items() if not other.done()} | {future: answer}

    def wait(self, seconds: float) -> bool:
        """Wait until all work has ended, and return whether it has."""
        return not wait(self._open, seconds).not_done


def _work(work: Callable[[], Any], answer: _Answer) -> None:
    try:
        result = work()
    except Exception as error:
        answer.failed.emit(error)
    else:
        answer.done.emit(result)
