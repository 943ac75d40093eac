"""The calls that have been made, also before the window was opened: a table of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QMessageBox, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from nanorpc.gui.call.history import ENTRY, Entry, HistoryModel
from nanorpc.gui.call.store import CallStore, calls_file
from nanorpc.gui.keeper import Keeper
from nanorpc.gui.tables import Table
from nanorpc.gui.theme import mark


class Past(QWidget):
    """Lists calls, and keeps them.

    :param path: of the data base; ``None`` for the user's.
    """

    chosen = pyqtSignal(object)
    """The :class:`Entry` of a call that the user wants back."""
    message = pyqtSignal(str)

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path or calls_file()
        self._keeper: Keeper[CallStore] = Keeper(self, lambda: CallStore(self._path))
        self._loaded = False
        self.model = HistoryModel(self)
        self.table = Table(self.model, "Calls made", sortable=False)
        self.table.setSelectionMode(QAbstractItemView.SingleSelection)
        self.table.fit(("30 Sep, 00:00", "999 ms", "The method failed: K"))
        self.table.clicked.connect(self._choose)
        self.table.activated.connect(self._choose)
        self.clear_button = QPushButton("C&lear")
        self.clear_button.setToolTip("forget all calls that have been made")
        self.clear_button.clicked.connect(self.ask_clear)
        nothing = QLabel("No calls yet. Those that you make are listed here; a click brings one back.")
        nothing.setAlignment(Qt.AlignCenter)
        nothing.setWordWrap(True)
        title = QLabel("Calls made")
        mark(title, "heading")
        top = QHBoxLayout()
        top.addWidget(title, 1)
        top.addWidget(self.clear_button)
        listed = QWidget()
        layout = QVBoxLayout(listed)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(nothing)
        self._stack.addWidget(listed)

    def load(self) -> None:
        """Read what has been kept, the first time."""
        if not self._loaded:
            self._loaded = True
            self._work(lambda store: store.all(), self._read)

    def add(self, entry: Entry) -> None:
        """List a call, and keep it."""
        self.model.add(entry)
        self._stack.setCurrentIndex(1)
        self._work(lambda store: store.add(entry), lambda _: None)

    def ask_clear(self) -> None:
        """Ask, and forget all calls."""
        question = "Forget all calls that have been made?"
        if QMessageBox.question(self, "Clear", question, QMessageBox.Yes | QMessageBox.Cancel, QMessageBox.Cancel) == QMessageBox.Yes:
            self.model.clear()
            self._stack.setCurrentIndex(0)
            self._work(lambda store: store.clear(), lambda _: self.message.emit("Cleared"))

    def shutdown(self) -> None:
        """Finish writing."""
        self._keeper.close()

    def _work(self, work: Callable[[CallStore], Any], done: Callable[[Any], None]) -> None:
        self._keeper.start(work, done, lambda error: self.message.emit(f"Calls cannot be kept: {error}. The file is {self._path}"))

    def _read(self, entries: list[Entry]) -> None:
        self.model.add_earlier(entries)
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(index.data(ENTRY))
