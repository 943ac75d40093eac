"""The calls that have been made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from nanorpc.commands.human import printable
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.record import now
from nanorpc.introspection import MethodInfo
from nanorpc.units import time_text

ENTRY = Qt.UserRole
"""The :class:`Entry` of a row."""

MOST = 200
"""Calls that are kept."""

LONGEST_KEPT = 64 << 10
"""Characters of a payload, with what is said of the method, that are kept."""

_LONGEST = 200
"""Characters of a line."""


@dataclass(frozen=True)
class Entry:
    """A call that has been made."""

    call: Call
    outcome: str
    """In some words."""
    took_ns: float | None
    """How long it took, or the median; None if it has not been answered."""
    at: str
    """When, in the user's time, as ISO 8601 has it."""
    dropped: int = 0
    """Characters of a payload that was too long to be kept; the call then has none."""

    @classmethod
    def of(cls, call: Call, outcome: str, times_ns: Any) -> Entry:
        """Return the entry of a call that has just been made."""
        took = float(np.median(times_ns)) if len(times_ns) else None
        length = len(call.text) + sum(len(name) + len(word) for name, word in call.words)
        if length <= LONGEST_KEPT:
            length += len(msgspec.json.encode(call.info))
        if length <= LONGEST_KEPT:
            return cls(call, outcome[:_LONGEST], took, now())
        bare = Call(call.service, MethodInfo(name=call.info.name), Mode.TEXT, timeout=call.timeout, repeat=call.repeat)
        return cls(bare, outcome[:_LONGEST], took, now(), length)

    @cached_property
    def when(self) -> str:
        """When it was, for people."""
        at = datetime.fromisoformat(self.at).astimezone()
        today = datetime.now()
        if at.date() == today.date():
            return at.strftime("%H:%M:%S")
        return at.strftime("%d %b, %H:%M" if at.year == today.year else "%d %b %Y")

    @cached_property
    def line(self) -> str:
        """The call in a line."""
        said = f"{self.call.info.name}(… {self.dropped:,} characters, too long to keep)" if self.dropped else self.call.summary
        return printable(f"{self.call.service}: {said}"[:_LONGEST])

    @property
    def cells(self) -> tuple[str, ...]:
        """What the columns show."""
        return self.when, "" if self.took_ns is None else time_text(self.took_ns), printable(self.outcome), self.line


_TITLES = ("Time", "Took", "Outcome", "Call")


class HistoryModel(QAbstractTableModel):
    """The last calls, the newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Add the newest call."""
        self._insert(0, [entry])
        if len(self._entries) > MOST:
            self.beginRemoveRows(QModelIndex(), MOST, len(self._entries) - 1)
            del self._entries[MOST:]
            self.endRemoveRows()

    def add_earlier(self, entries: Sequence[Entry]) -> None:
        """Add calls that were made before all others, the newest first."""
        self._insert(len(self._entries), entries[: MOST - len(self._entries)])

    def _insert(self, row: int, entries: Sequence[Entry]) -> None:
        if entries:
            self.beginInsertRows(QModelIndex(), row, row + len(entries) - 1)
            self._entries[row:row] = entries
            self.endInsertRows()

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
        return _TITLES[section] if role == Qt.DisplayRole and orientation == Qt.Horizontal else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """What a cell shows."""
        entry = self._entries[index.row()]
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            return entry.cells[index.column()]
        return entry if role == ENTRY else None
