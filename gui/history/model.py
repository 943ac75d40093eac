"""The list of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt, pyqtSignal

from nanorpc.gui.bench.live_table import SORT_ROLE
from nanorpc.gui.bench.plan import preset_of
from nanorpc.gui.record import Record, loads_text
from nanorpc.units import size_text, time_text

RECORD_ROLE = SORT_ROLE + 1


@dataclass(frozen=True)
class _Column:
    title: str
    value: Callable[[Record], Any]
    text: Callable[[Record], str]


def _list(texts: Sequence[str]) -> str:
    return ", ".join(texts)


def best(record: Record) -> float:
    """Return the p50 of NanoRPC's ordinary calls at the smallest size, or of whatever comes first; 0 if nothing was measured."""
    cases = sorted(record.cases, key=lambda case: (case.transport != "nanorpc", not case.transport.startswith("nanorpc"), case.size_bytes))
    return cases[0].p50_ns if cases else 0.0


_COLUMNS = (
    _Column("Run", lambda run: run.id, lambda run: str(run.id)),
    _Column("When", lambda run: run.started, lambda run: datetime.fromisoformat(run.started).strftime("%Y-%m-%d %H:%M")),
    _Column("Note", lambda run: run.note, lambda run: run.note),
    _Column("nanorpc p50", best, lambda run: time_text(best(run))),
    _Column("Settings", lambda run: preset_of(run.plan) or "~", lambda run: preset_of(run.plan) or "own"),
    _Column("Transports", lambda run: len(run.transports), lambda run: _list(run.transports)),
    _Column("Payloads", lambda run: run.sizes, lambda run: _list([size_text(size) for size in run.sizes])),
    _Column("Load", lambda run: run.loads, lambda run: loads_text(run.loads)),
    _Column("Took", lambda run: run.seconds, lambda run: f"{run.seconds:.0f} s" if run.state == "done" else f"{run.seconds:.0f} s, {run.state}"),
    _Column("NanoRPC", lambda run: run.machine.get("nanorpc", ""), lambda run: run.machine.get("nanorpc", "")),
    _Column("Kernel", lambda run: run.machine.get("kernel", ""), lambda run: run.machine.get("kernel", "")),
    _Column("Machine", lambda run: run.machine.get("host", ""), lambda run: f"{run.machine.get('host', '')}, {run.machine.get('processor', '')}"),
)
SAMPLES = [
    "9999",
    "2025-12-30 23:59",
    "a note of some words",
    "99.9 µs",
    "Throughput",
    "limit, nanorpc, uds",
    "64 B, 4 KiB, 64 KiB",
    "1 in flight",
    "10 s",
]
"""A text for each of the first columns that is as wide as most."""
NOTE = next(i for i, column in enumerate(_COLUMNS) if column.title == "Note")


class RunsModel(QAbstractTableModel):
    """A row for each run. Notes can be edited."""

    noted = pyqtSignal(int, str)
    """The number of a run, and its new note."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[Record] = []

    @property
    def records(self) -> Sequence[Record]:
        """What is shown."""
        return tuple(self._records)

    def show_records(self, records: Sequence[Record]) -> None:
        """Show others."""
        self.beginResetModel()
        self._records = list(records)
        self.endResetModel()

    def add(self, record: Record) -> None:
        """Show one more, as the first."""
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._records.insert(0, record)
        self.endInsertRows()

    def remove(self, ids: set[int]) -> None:
        """Show these no more."""
        for row in reversed(range(len(self._records))):
            if self._records[row].id in ids:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._records[row]
                self.endRemoveRows()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How many runs there are."""
        return 0 if parent.isValid() else len(self._records)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How much is said of each."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """The columns' titles."""
        return _COLUMNS[section].title if orientation == Qt.Horizontal and role == Qt.DisplayRole else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Notes can be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemIsEditable if index.column() == NOTE else flags

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """A cell."""
        record, column = self._records[index.row()], _COLUMNS[index.column()]
        if role == RECORD_ROLE:
            return record
        if role == SORT_ROLE:
            return column.value(record)
        if role in (Qt.DisplayRole, Qt.EditRole, Qt.ToolTipRole):
            return column.text(record)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Set a note."""
        record = self._records[index.row()]
        if role != Qt.EditRole or index.column() != NOTE or record.id is None:
            return False
        if record.note != value:
            self._records[index.row()] = replace(record, note=str(value))
            self.dataChanged.emit(index, index)
            self.noted.emit(record.id, str(value))
        return True
