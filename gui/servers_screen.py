"""Servers: every one that runs on this machine, live."""

from __future__ import annotations

import os

from PyQt5.QtCore import QModelIndex, QSettings, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QKeySequence
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QShortcut,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from nanorpc.gui.screen import Screen
from nanorpc.gui.servers.columns import COLUMNS, TREND
from nanorpc.gui.servers.detail import Detail
from nanorpc.gui.servers.events import Event, Looked
from nanorpc.gui.servers.model import RECORD, TREND_ROLE, ServersModel, SortedServers
from nanorpc.gui.servers.monitor import Monitor
from nanorpc.gui.servers.nothing import Nothing
from nanorpc.gui.servers.record import Record, State
from nanorpc.gui.servers.sparkline import SparklineDelegate
from nanorpc.gui.tables import Table
from nanorpc.gui.theme import Theme


class ServersScreen(Screen):
    """A list of the servers, and a page for each.

    :param directory: where services are found; ``None`` for the default.
    """

    title = "&Servers"
    call_wanted = pyqtSignal(str, str)
    """The user wants to call a method: service and method."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self._problem = ""
        self.monitor = Monitor(directory)
        self.monitor.told.connect(self._told)
        self.monitor.failed.connect(_raise)
        self.model = ServersModel(self)
        self.sorted = SortedServers(self.model)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: name, method, user, state or PID")
        self.filter.setAccessibleName("Filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        self.count = QLabel()
        self.count.setAccessibleName("How many servers there are")
        self.open_button = QPushButton("&Details")
        self.open_button.clicked.connect(self._open_current)
        self.dismiss_button = QPushButton("Dis&miss")
        self.dismiss_button.setToolTip("take the chosen server, which has gone, off the list (Del)")
        self.dismiss_button.clicked.connect(self._dismiss)
        self.dismiss_all_button = QPushButton("Dismiss all &gone")
        self.dismiss_all_button.clicked.connect(self.model.dismiss_all)
        self.table = Table(self.sorted, "Servers")
        self.nothing = Nothing(directory)
        self.nothing.copied.connect(self.message)
        self.no_match = QLabel("No server matches the filter.")
        self.no_match.setAlignment(Qt.AlignCenter)
        self.detail = Detail()
        self.detail.back.connect(self.show_list)
        self.detail.call_wanted.connect(self.call_wanted)
        self._arrange()
        self.model.changed.connect(self._changed)
        for signal in (self.sorted.rowsInserted, self.sorted.rowsRemoved, self.sorted.modelReset):
            signal.connect(self._counted)
        self._counted()

    def _arrange(self) -> None:
        self.table.sortByColumn(0, Qt.AscendingOrder)
        self.table.setSelectionMode(QAbstractItemView.SingleSelection)
        self.table.fit([column.longest for column in COLUMNS])
        self.sparkline = SparklineDelegate(TREND_ROLE, 60, self.table)
        self.table.setItemDelegateForColumn(TREND, self.sparkline)
        self.table.activated.connect(self._open)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._enable())
        # Of the window, but only while this screen is shown, wherever the focus is; the table's only there, as it means something else in a text.
        for key, parent, context, slot in (
            ("Del", self.table, Qt.WidgetShortcut, self._dismiss),
            ("Alt+Left", self, Qt.WindowShortcut, self.show_list),
            ("Ctrl+F", self, Qt.WindowShortcut, self.filter.setFocus),
        ):
            QShortcut(QKeySequence(key), parent, context=context).activated.connect(slot)
        top = QHBoxLayout()
        top.addWidget(self.filter, 1)
        top.addWidget(self.count)
        for button in (self.open_button, self.dismiss_button, self.dismiss_all_button):
            top.addWidget(button)
        self._lists = QStackedWidget()
        for widget in (self.table, self.nothing, self.no_match):
            self._lists.addWidget(widget)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addLayout(top)
        layout.addWidget(self._lists, 1)
        self._pages = QStackedWidget()
        self._pages.addWidget(page)
        self._pages.addWidget(self.detail)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._pages)

    def activated(self) -> None:
        """Ask the servers from now on."""
        self.monitor.resume()
        self.message.emit("")
        if self._pages.currentWidget() is not self.detail:
            self.table.setFocus()

    def deactivated(self) -> None:
        """Ask no more. That a server ends is noticed all the same."""
        self.monitor.pause()

    def refresh(self) -> None:
        """Look at once."""
        self.monitor.resume()

    def stop(self) -> None:
        """Go back to the list, and take the filter away."""
        if self._pages.currentWidget() is self.detail:
            self.show_list()
        else:
            self.filter.clear()

    def shutdown(self) -> None:
        """End all connections."""
        self.monitor.close()
        self.detail.shutdown()

    def save_state(self, settings: QSettings) -> None:
        """Keep the order of the list."""
        settings.setValue("header", self.table.horizontalHeader().saveState())

    def restore_state(self, settings: QSettings) -> None:
        """Have the same order."""
        if state := settings.value("header"):
            self.table.horizontalHeader().restoreState(state)

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self.model.warning = QColor(theme.warning)
        self.sparkline.colour = QColor(theme.hues["blue"])
        self.detail.apply_theme(theme)
        self.table.viewport().update()

    def show_list(self) -> None:
        """Show the list."""
        self._pages.setCurrentIndex(0)
        self.table.setFocus()

    def show_server(self, record: Record) -> None:
        """Show the page of a server."""
        self.detail.show_record(record)
        self._pages.setCurrentIndex(1)
        self.detail.tree.setFocus()

    def _told(self, event: object) -> None:
        if isinstance(event, Looked):
            if event.problem != self._problem:
                self._problem = event.problem
                self.nothing.show_problem(event.problem)
                self._counted()
        elif isinstance(event, Event):
            self.model.take(event)

    def _changed(self, record: Record) -> None:
        self._counted()
        if record is self.detail.record and self._pages.currentWidget() is self.detail and self.isVisible():
            self.detail.show_record(record)

    def _filter(self, text: str) -> None:
        self.sorted.setFilterFixedString(text)
        self._counted()

    def _counted(self) -> None:
        counts = {state: self.model.count(state) for state in State}
        said = [f"{count} {state.value}" for state, count in counts.items() if count]
        self.count.setText(", ".join(said))
        if not self.model.rowCount():
            self._lists.setCurrentWidget(self.nothing)
        else:
            self._lists.setCurrentWidget(self.table if self.sorted.rowCount() else self.no_match)
        self._enable()

    def _enable(self) -> None:
        record = self._current()
        self.open_button.setEnabled(record is not None)
        self.dismiss_button.setEnabled(record is not None and record.state is State.GONE)
        self.dismiss_all_button.setEnabled(self.model.count(State.GONE) > 0)

    def _current(self) -> Record | None:
        record = self.table.currentIndex().data(RECORD)
        return record if isinstance(record, Record) else None

    def _open(self, index: QModelIndex) -> None:
        self.show_server(index.data(RECORD))

    def _open_current(self) -> None:
        record = self._current()
        if record is not None:
            self.show_server(record)

    def _dismiss(self) -> None:
        record = self._current()
        if record is not None:
            self.model.dismiss(record)


def _raise(error: Exception) -> None:
    raise error  # shown by the application
