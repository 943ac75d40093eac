"""Work off the window's thread, whose answers come back to it as signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal


class _Answer(QObject):
    done = pyqtSignal(object)
    failed = pyqtSignal(object)


class _Task(QRunnable):
    def __init__(self, work: Callable[[], Any], answer: _Answer) -> None:
        super().__init__()
        self._work = work
        self._answer = answer

    def run(self) -> None:
        try:
            result = self._work()
        except Exception as error:
            self._send(self._answer.failed, error)
        else:
            self._send(self._answer.done, result)

    def _send(self, signal: Any, value: object) -> None:
        try:
            signal.emit(value)
        except RuntimeError:  # the window has gone meanwhile
            return


class Workers(QObject):
    """Threads that work for a widget."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(4)

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Run ``work`` in a thread, and then ``done`` with its result, or ``failed`` with its exception, in the window's thread."""
        answer = _Answer(self)
        answer.done.connect(done)
        answer.failed.connect(failed)
        answer.done.connect(answer.deleteLater)
        answer.failed.connect(answer.deleteLater)
        self._pool.start(_Task(work, answer))

    def wait(self, milliseconds: int) -> bool:
        """Wait until all work has ended, and return whether it has."""
        return self._pool.waitForDone(milliseconds)
