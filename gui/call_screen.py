"""Call: a method of a running service, with arguments or bytes, and what comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PyQt5.QtCore import QSettings, Qt, QTimer
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QMenu, QProgressBar, QPushButton, QShortcut, QSplitter, QVBoxLayout, QWidget

from nanorpc.commands.arguments import Mistake
from nanorpc.gui.call.failure import heading
from nanorpc.gui.call.history import Entry
from nanorpc.gui.call.latency import times_text
from nanorpc.gui.call.past import Past
from nanorpc.gui.call.payload import Payload
from nanorpc.gui.call.request import Call
from nanorpc.gui.call.result import Result
from nanorpc.gui.call.run import Outcome, Run
from nanorpc.gui.call.snippets import as_command, as_python
from nanorpc.gui.call.target import Target
from nanorpc.gui.fields import count, seconds
from nanorpc.gui.screen import Screen
from nanorpc.gui.texts import copy
from nanorpc.gui.theme import Theme, mark
from nanorpc.gui.workers import Workers
from nanorpc.introspection import MethodInfo
from nanorpc.units import size_text

_POLL = 100  # ms


class CallScreen(Screen):
    """Calls methods. Every call runs off the window's thread, and can be cancelled.

    :param directory: where services are found; ``None`` for the default.
    :param history: the data base of calls that have been made; ``None`` for the user's.
    """

    title = "&Call"

    def __init__(self, directory: str | os.PathLike[str] | None, history: Path | None = None) -> None:
        super().__init__()
        self._directory = directory
        self._workers = Workers(self, threads=16)  # those of cancelled calls may wait for a server that does not answer
        self._run: Run | None = None
        self._restored: Call | None = None
        self.target = Target(directory, self._workers)
        self.target.message.connect(self.message)
        self.payload = Payload()
        self.target.method_changed.connect(self._method_changed)
        self.timeout = seconds(0.001, 3600, 5, 1)
        self.timeout.setToolTip("how long each call may take")
        self.repeat = count(100_000, 1)
        self.repeat.setToolTip("how many calls, one after the other")
        self.send_button = QPushButton("&Send")
        self.send_button.setToolTip("Ctrl+Enter")
        self.send_button.clicked.connect(self.send)
        self.cancel_button = QPushButton("C&ancel")
        self.cancel_button.setToolTip("Esc")
        self.cancel_button.clicked.connect(self.cancel)
        self.copy_button = QPushButton("Copy as")
        menu = QMenu(self.copy_button)
        menu.addAction("Copy as &Python", self.copy_python)
        menu.addAction("Copy as &command line", self.copy_command)
        self.copy_button.setMenu(menu)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setTextFormat(Qt.PlainText)
        self.summary.setAccessibleName("What the call came to")
        self.progress = QProgressBar()
        self.result = Result()
        self.past = Past(history)
        self.past.chosen.connect(self._restore)
        self.past.message.connect(self.message)
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL)
        self._poll.timeout.connect(self._show_progress)
        self._arrange()
        self._enable()

    def _arrange(self) -> None:
        numbers = QHBoxLayout()
        for text, field in (("&Timeout", self.timeout), ("&Repeat", self.repeat)):
            label = QLabel(text)
            label.setBuddy(field)
            numbers.addWidget(label)
            numbers.addWidget(field, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.send_button, 1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.copy_button)
        left = QWidget()
        column = QVBoxLayout(left)
        column.addWidget(self.target)
        column.addWidget(self.payload, 1)
        column.addLayout(numbers)
        column.addLayout(buttons)
        upper = QWidget()
        reply = QVBoxLayout(upper)
        reply.setContentsMargins(0, 9, 0, 0)
        reply.addWidget(self.summary)
        reply.addWidget(self.progress)
        reply.addWidget(self.result, 1)
        right = QSplitter(Qt.Vertical)
        right.setContentsMargins(0, 0, 9, 9)
        right.addWidget(upper)
        right.addWidget(self.past)
        right.setSizes([440, 150])
        right.setChildrenCollapsible(False)
        halves = QSplitter(Qt.Horizontal)
        halves.addWidget(left)
        halves.addWidget(right)
        halves.setSizes([390, 610])
        halves.setStretchFactor(1, 1)
        halves.setChildrenCollapsible(False)
        self._splitters = {"halves": halves, "right": right}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(halves)
        for key in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(key), self).activated.connect(self.send)

    def activated(self) -> None:
        """List what runs, and the calls that have been made."""
        self.past.load()
        self.refresh()

    def primary(self) -> None:
        """Call the method."""
        self.send()

    def stop(self) -> None:
        """Cancel."""
        self.cancel()

    def shutdown(self) -> None:
        """Give up what runs, and wait until its threads have ended."""
        self.cancel()
        self.result.latency.plot.shutdown()
        self._workers.wait(5)
        self.past.shutdown()

    def save_state(self, settings: QSettings) -> None:
        """Keep the timeout and the places of dividers."""
        settings.setValue("timeout", self.timeout.value())
        for name, splitter in self._splitters.items():
            settings.setValue(name, splitter.saveState())

    def restore_state(self, settings: QSettings) -> None:
        """Have the same timeout and places."""
        self.timeout.setValue(float(settings.value("timeout", self.timeout.value())))
        for name, splitter in self._splitters.items():
            if state := settings.value(name):
                splitter.restoreState(state)

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self.result.latency.plot.apply_theme(theme)

    def refresh(self) -> None:
        """List the running services anew."""
        self.target.refresh()

    def choose(self, service: str, method: str) -> None:
        """Show the form of a method."""
        self.target.choose(service, method)

    def send(self) -> None:
        """Call the method."""
        if self._run is not None:
            return
        service, info = self.target.service.currentText().strip(), self.target.info
        if not service or not info.name:
            self._say("Choose a service and a method first. Where none is listed, the Servers screen says how to start one.")
            return
        call = self.payload.call(service, self.timeout.value(), self.repeat.value())
        self.result.clear("Calling …")
        self._say("")
        self.progress.setRange(0, call.repeat if call.repeat > 1 else 0)
        self._run = Run(call, self._directory, self._workers, self._done)
        self._poll.start()
        self._enable()

    def cancel(self) -> None:
        """Give up what runs; what has come until then is shown."""
        if self._run is not None:
            outcome = self._run.cancel()
            self._finish(outcome, "Cancelled")

    def copy_python(self) -> None:
        """Put the call on the clipboard, as a program."""
        self._copy(as_python, "Copied as Python")

    def copy_command(self) -> None:
        """Put the call on the clipboard, as a command for a shell."""
        self._copy(as_command, "Copied as command line")

    def _copy(self, form: Callable[[Call, str | None], str], said: str) -> None:
        call = self.payload.call(self.target.service.currentText().strip(), self.timeout.value(), 1)
        try:
            text = form(call, None if self._directory is None else os.fspath(self._directory))
        except (Mistake, OSError) as error:
            self._say(f"Not copied: {error}")
            return
        copy(text)
        self.message.emit(said)

    def _method_changed(self, info: MethodInfo) -> None:
        last = self._restored
        if last is None or (self.target.service.currentText(), info.name) != (last.service, last.info.name):
            self._restored = None
            self.payload.show_method(info)
        elif info.kind and info != last.info:  # it takes other arguments by now, or ones that were not known
            self._restored = None
            self.payload.show_method(info)
            if info.kind == last.info.kind:
                self.payload.restore(replace(last, info=info))
        # Else it is what it was, or the server does not run or has not answered yet: the form of then stays.

    def _restore(self, entry: Entry) -> None:
        call = entry.call
        self._restored = None if entry.dropped else call
        self.target.choose(call.service, call.info.name)
        self.timeout.setValue(call.timeout)
        self.repeat.setValue(call.repeat)
        if entry.dropped:
            self._say(f"What was sent then, {entry.dropped:,} characters, was too long to keep.")
        else:
            self.payload.restore(call)

    def _show_progress(self) -> None:
        if self._run is not None and self._run.call.repeat > 1:
            done = len(self._run.times_ns)
            self.progress.setValue(done)
            self._say(f"{done:,} of {self._run.call.repeat:,} calls")

    def _done(self, outcome: Outcome) -> None:
        self._finish(outcome, "")

    def _finish(self, outcome: Outcome, said: str) -> None:
        self._run = None
        self._poll.stop()
        self.result.show_outcome(outcome)
        if said and not len(outcome.times_ns):
            self.result.clear(f"{said}.")
        reply = outcome.reply
        parts = [said] if said else []
        mark(self.summary, "error" if outcome.error is not None else "heading")
        if outcome.error is not None:
            parts.append(heading(outcome.error))
        elif reply is not None:
            parts.append(f"{size_text(reply.length)}, {reply.what}")
        if len(outcome.times_ns):
            parts.append(times_text(outcome.times_ns))
        self._say(" · ".join(parts))
        self.past.add(Entry.of(outcome.call, parts[0] if parts else "", outcome.times_ns))
        self._enable()

    def _enable(self) -> None:
        """Enable what can be done now."""
        running = self._run is not None
        self.send_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)

    def _say(self, text: str) -> None:
        self.summary.setText(text)
