"""The history: every run that was made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QSettings, Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from nanorpc.gui.bench.live_table import SORT_ROLE
from nanorpc.gui.history.model import NOTE, RECORD_ROLE, SAMPLES, RunsModel
from nanorpc.gui.history.store import Store, data_file
from nanorpc.gui.history.trend import Trend, TrendChart, TrendView, trend_of
from nanorpc.gui.keeper import Keeper
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.record import Record
from nanorpc.gui.results.report import settings_text
from nanorpc.gui.screen import Screen
from nanorpc.gui.tables import SortProxy, Table
from nanorpc.gui.theme import Theme, mark

_NONE = "No benchmark was run here yet.\n\nEvery run is kept, with its settings and what it ran on. Start one: Ctrl+1, Ctrl+R."


class HistoryScreen(Screen):
    """Lists runs, compares two, and shows how figures have gone.

    :param path: of the data base; ``None`` for the user's.
    """

    title = "&History"

    opened = pyqtSignal(object)
    """A run to be shown in full."""
    compared = pyqtSignal(object, object)
    """A run to be shown beside another, the older."""
    deleted = pyqtSignal(set)
    """The numbers of runs that are gone."""
    kept = pyqtSignal(object)
    """A run that has a number now."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path or data_file()
        self._keeper: Keeper[Store] = Keeper(self, lambda: Store(self._path))
        self._loaded = False
        self.model = RunsModel()
        self.model.noted.connect(self._note)
        self.proxy = SortProxy(self.model, SORT_ROLE)
        self.table = Table(self.proxy, "Runs")
        self.table.setEditTriggers(QAbstractItemView.EditKeyPressed)
        self.table.fit(SAMPLES)
        self.table.doubleClicked.connect(lambda _: self.primary())
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._selected())
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: a note, a transport, a kernel …")
        self.filter.setAccessibleName("Filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.proxy.setFilterFixedString)
        self.open_button = self._button("&Open", "Ctrl+R, or a double click: show the run in the results", self.primary)
        self.compare_button = self._button("&Compare", "show the newer of two runs beside the older", self.compare)
        self.note_button = self._button("&Note …", "F2: write a note", self.edit_note)
        self.delete_button = self._button("&Delete", "delete the runs that are selected", self.ask_delete)
        self.delete_button.setShortcut("Del")
        self.trend: PlotWidget[TrendView] = PlotWidget(TrendChart([Trend()]), "p50 over runs", "The figures of several runs are compared here.")
        self.details = QLabel()
        self.details.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.details.setWordWrap(True)
        mark(self.details, "muted")
        self.empty = QLabel(_NONE)
        self._arrange()
        self._selected()

    def _button(self, text: str, tip: str, do: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda _: do())
        return button

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.filter, 1)
        for button in (self.open_button, self.compare_button, self.note_button, self.delete_button):
            line.addWidget(button)
        self._splitter = QSplitter(Qt.Vertical)
        self._splitter.addWidget(self.table)
        self._splitter.addWidget(self.trend)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setSizes([360, 260])
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self._splitter, 1)
        layout.addWidget(self.details)
        self.empty.setAlignment(Qt.AlignCenter)
        self.empty.setWordWrap(True)
        mark(self.empty, "muted")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(shown)
        QVBoxLayout(self).addLayout(self._stack)

    def activated(self) -> None:
        """Read the runs, the first time."""
        if not self._loaded:
            self.refresh()

    def refresh(self) -> None:
        """Read the runs again."""
        self._work(lambda store: store.all(), self._read)

    def keep(self, record: Record) -> None:
        """Keep a run; ``kept`` tells when it has its number."""
        self._work(lambda store: store.add(record), self._kept)

    @property
    def chosen(self) -> list[Record]:
        """The runs that are selected, the newest first."""
        records = [index.data(RECORD_ROLE) for index in self.table.selectionModel().selectedRows()]
        return sorted(records, key=lambda record: (record.started, record.id), reverse=True)

    def primary(self) -> None:
        """Show the run that is selected in the results."""
        if len(self.chosen) == 1:
            self._load(self.chosen, lambda records: self.opened.emit(records[0]))
        elif len(self.chosen) == 2:
            self.compare()

    def compare(self) -> None:
        """Show the newer of two runs beside the older."""
        if len(self.chosen) == 2:
            self._load(self.chosen, lambda records: self.compared.emit(*records))

    def edit_note(self) -> None:
        """Let the user write a note."""
        if len(self.chosen) == 1:
            row = self.table.selectionModel().selectedRows()[0].row()
            self.table.edit(self.proxy.index(row, NOTE))

    def ask_delete(self) -> None:
        """Ask, and delete the runs that are selected."""
        count = len(self.chosen)
        if not count:
            return
        question = f"Delete {self.chosen[0].title}?" if count == 1 else f"Delete {count} runs?"
        if QMessageBox.question(self, "Delete", question, QMessageBox.Yes | QMessageBox.Cancel, QMessageBox.Cancel) == QMessageBox.Yes:
            self.delete({record.id for record in self.chosen if record.id is not None})

    def delete(self, ids: set[int]) -> None:
        """Delete runs."""

        def done(_: object) -> None:
            self.model.remove(ids)
            self._selected()
            self.deleted.emit(ids)
            self.message.emit("Deleted")

        self._work(lambda store: store.delete(ids), done)

    def shutdown(self) -> None:
        """Finish writing."""
        self._keeper.close()
        self.trend.shutdown()

    def save_state(self, settings: QSettings) -> None:
        """Remember the columns."""
        settings.setValue("columns", self.table.horizontalHeader().saveState())
        settings.setValue("splitter", self._splitter.saveState())

    def restore_state(self, settings: QSettings) -> None:
        """Arrange them so again."""
        if state := settings.value("columns"):
            self.table.horizontalHeader().restoreState(state)
        if state := settings.value("splitter"):
            self._splitter.restoreState(state)

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self.trend.apply_theme(theme)

    def _work(self, work: Callable[[Store], Any], done: Callable[[Any], None]) -> None:
        """Do something with the data base in the thread that has it, and then something with what comes of it."""
        self._keeper.start(work, done, self._failed)

    def _failed(self, error: Exception) -> None:
        """Tell what is wrong with the data base; all else goes on."""
        text = f"The history cannot be used: {error}. It is kept in {self._path}"
        self.message.emit(text)
        if not self.model.rowCount():
            self.empty.setText(text)

    def _read(self, records: list[Record]) -> None:
        self._loaded = True
        self.model.show_records(records)
        self._selected()

    def _kept(self, record: Record) -> None:
        if self._loaded:
            self.model.add(replace(record, cases=[replace(case, distribution=[]) for case in record.cases]))  # as Store.all has them
            self._selected()
        self.kept.emit(record)

    def _note(self, id_: int, text: str) -> None:
        self._work(lambda store: store.note(id_, text), lambda _: self.message.emit("Noted"))

    def _load(self, records: list[Record], done: Callable[[list[Record]], None]) -> None:
        ids = [record.id for record in records if record.id is not None]
        self._work(lambda store: [store.load(id_) for id_ in ids], done)

    def _selected(self) -> None:
        """Show what can be done with what is selected, and draw."""
        chosen = self.chosen
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        for button, enabled in (
            (self.open_button, len(chosen) == 1),
            (self.compare_button, len(chosen) == 2),
            (self.note_button, len(chosen) == 1),
            (self.delete_button, bool(chosen)),
        ):
            button.setEnabled(enabled)
        self.details.setText("Select a run, or two to compare them." if not chosen else _about(chosen[0]))
        self.trend.show_data(trend_of(self.model.records, chosen))


def _about(record: Record) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in record.machine.items())
    return f"{record.title}: {settings_text(record)}. {machine}"
