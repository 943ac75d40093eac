"""The list of servers, as Qt's views want it."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QColor, QGuiApplication, QPalette

from nanorpc.commands.human import printable
from nanorpc.gui.servers.columns import COLUMNS, TREND, Column, user
from nanorpc.gui.servers.events import Described, Event, Gone, Silent
from nanorpc.gui.servers.record import Record, State
from nanorpc.gui.tables import SortProxy

ORDER = Qt.UserRole
"""By what rows are sorted."""
FILTERED = Qt.UserRole + 1
"""The text in which a filter is looked for."""
TREND_ROLE = Qt.UserRole + 2
"""The calls per second of the last minute, oldest first."""
RECORD = Qt.UserRole + 3
"""The :class:`Record` of a row."""

_MINUTE = 60
_MOST_GONE = 200
"""Servers that have gone and are kept: the list may be open for days beside a program that is started all the time."""
_TOGETHER = 150
"""Milliseconds in which figures are gathered, so that many servers make one change of the view."""


class ServersModel(QAbstractTableModel):
    """A row for each server: one process that serves. One that has gone stays until it is dismissed."""

    changed = pyqtSignal(object)
    """Something else of a server, a :class:`Record`, is known than before."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.warning: QColor | None = None
        """In what it is said that a server does not answer."""
        self._records: list[Record] = []
        self._fresh: dict[int, Record] = {}  # by key: those whose figures the views have not been told of
        self._gathering = QTimer(self)
        self._gathering.setSingleShot(True)
        self._gathering.setInterval(_TOGETHER)
        self._gathering.timeout.connect(self._tell)

    def take(self, event: Event) -> None:
        """Take in what the monitor has told."""
        record = next((record for record in self._records if record.key == event.key), None)
        if record is None:
            if isinstance(event, Gone):  # before it was there
                return
            record = Record(event.key, event.service)
            record.take(event)
            self.beginInsertRows(QModelIndex(), len(self._records), len(self._records))
            self._records.append(record)
            self.endInsertRows()
        else:
            record.take(event)
        self._fresh[record.key] = record
        if isinstance(event, Described):
            self._replace(record)
        if isinstance(event, Gone | Silent):  # at once
            self._tell()
        elif not self._gathering.isActive():
            self._gathering.start()
        if isinstance(event, Gone):
            self._forget_old()

    def dismiss(self, record: Record) -> None:
        """Take a server that has gone off the list."""
        if record.state is State.GONE and record in self._records:
            row = self._records.index(record)
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._records[row]
            self.endRemoveRows()
            self._fresh.pop(record.key, None)
            self.changed.emit(record)

    def dismiss_all(self) -> None:
        """Take all servers that have gone off the list."""
        for record in [record for record in self._records if record.state is State.GONE]:
            self.dismiss(record)

    def count(self, state: State) -> int:
        """Return how many servers are in a state."""
        return sum(record.state is state for record in self._records)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of servers."""
        return 0 if parent.isValid() else len(self._records)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles, and what they mean."""
        if orientation != Qt.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.TextAlignmentRole:
            return _alignment(column)
        return column.title if role == Qt.DisplayRole else column.tip if role == Qt.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """What a cell shows."""
        record, column = self._records[index.row()], COLUMNS[index.column()]
        if role == Qt.DisplayRole:
            return column.text(record)
        if role == ORDER:
            return column.order(record)
        if role == Qt.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ForegroundRole and record.state is State.GONE:
            return QGuiApplication.palette().brush(QPalette.Disabled, QPalette.Text)
        if role == Qt.ForegroundRole and record.state is State.SILENT and index.column() == 1:
            return self.warning
        if role == Qt.ToolTipRole:
            return " ".join([record.state.value, record.reason]).strip() if index.column() == 1 else column.tip
        if role == TREND_ROLE and index.column() == TREND:
            return [point.rate for point in record.past][-_MINUTE:]
        if role == FILTERED:
            methods = [info.name for info in record.info.details] if record.info else []
            return printable(" ".join([record.service, str(record.pid or ""), record.state.value, user(record), *methods]))
        if role == Qt.AccessibleTextRole:
            return f"{record.service}, {column.title}: {column.text(record)}"
        return record if role == RECORD else None

    def _replace(self, record: Record) -> None:
        """Take what was the same process off the list: its connection was lost, or the list has been closed and opened."""
        for other in self._records[:]:
            if other is not record and (other.service, other.pid) == (record.service, record.pid):
                self.dismiss(other)

    def _forget_old(self) -> None:
        gone = [record for record in self._records if record.state is State.GONE]
        for record in gone[: max(len(gone) - _MOST_GONE, 0)]:
            self.dismiss(record)

    def _tell(self) -> None:
        fresh, self._fresh = self._fresh, {}
        for row, record in enumerate(self._records):
            if record.key in fresh:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        for record in fresh.values():
            self.changed.emit(record)


def _alignment(column: Column) -> int:
    return int((Qt.AlignLeft if column.is_text else Qt.AlignRight) | Qt.AlignVCenter)


class SortedServers(SortProxy):
    """The servers that a filter lets through, in the order that the user wants; those that have gone come last."""

    def __init__(self, model: ServersModel) -> None:
        super().__init__(model, ORDER)
        self.setFilterRole(FILTERED)
        self.setFilterKeyColumn(0)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """The order of two servers."""
        gone_left, gone_right = (index.data(RECORD).state is State.GONE for index in (left, right))
        if gone_left != gone_right:
            return gone_right if self.sortOrder() == Qt.AscendingOrder else gone_left
        return super().lessThan(left, right)
