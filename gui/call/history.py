"""The calls that have been made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from nanorpc.commands.human import printable
from nanorpc.gui.call.request import Call
from nanorpc.units import time_text

CALL = Qt.UserRole
"""The :class:`Call` of a row."""

_MOST = 200
_LONGEST = 200
"""Characters of a line."""


@dataclass(frozen=True)
class Entry:
    """A call that has been made."""

    call: Call
    outcome: str
    """In some words."""
    times_ns: float | None
    """How long it took, or the median; None if it has not been answered."""
    at: str = field(default_factory=lambda: time.strftime("%H:%M:%S"))


def middle(times_ns: Any) -> float | None:
    """Return the median of times; None if there are none."""
    return float(np.median(times_ns)) if len(times_ns) else None


_TITLES = ("Time", "Took", "Outcome", "Call")
_TOOK = 1


class HistoryModel(QAbstractTableModel):
    """The last calls, the newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Add the newest call."""
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._entries.insert(0, entry)
        self.endInsertRows()
        if len(self._entries) > _MOST:
            self.beginRemoveRows(QModelIndex(), _MOST, _MOST)
            del self._entries[_MOST:]
            self.endRemoveRows()

    def clear(self) -> None:
        """Forget all calls."""
        self.beginResetModel()
        self._entries.clear()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of calls."""
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles."""
        if role == Qt.TextAlignmentRole and section == _TOOK:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return _TITLES[section] if role == Qt.DisplayRole and orientation == Qt.Horizontal else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """What a cell shows."""
        entry = self._entries[index.row()]
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            took = "" if entry.times_ns is None else time_text(entry.times_ns)
            call = printable(f"{entry.call.service}: {entry.call.summary}"[:_LONGEST])
            return (entry.at, took, printable(entry.outcome[:_LONGEST]), call)[index.column()]
        if role == Qt.TextAlignmentRole and index.column() == _TOOK:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return entry.call if role == CALL else None
