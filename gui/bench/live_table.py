"""The figures of a running benchmark, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt

from nanorpc.bench import Case
from nanorpc.gui.bench.timeline import key_of
from nanorpc.gui.record import load_text
from nanorpc.units import size_text, time_text

SORT_ROLE = Qt.UserRole
"""What rows are sorted by, where texts would not do."""


@dataclass(frozen=True)
class _Column:
    title: str
    value: Callable[[Case], Any]
    text: Callable[[Case], str]


_COLUMNS = (
    _Column("Transport", lambda case: case.transport, lambda case: case.transport),
    _Column("Payload", lambda case: case.size_bytes, lambda case: size_text(case.size_bytes)),
    _Column("Load", lambda case: (case.inflight, case.rate), lambda case: load_text((case.inflight, case.rate))),
    _Column("p50", lambda case: case.p50_ns, lambda case: time_text(case.p50_ns)),
    _Column("p50 of rounds", lambda case: case.p50_low_ns, lambda case: f"{time_text(case.p50_low_ns)} – {time_text(case.p50_high_ns)}"),
    _Column("p99", lambda case: case.p99_ns, lambda case: time_text(case.p99_ns)),
    _Column("p99.9", lambda case: case.p999_ns, lambda case: time_text(case.p999_ns)),
    _Column("Calls/s", lambda case: case.calls_per_s, lambda case: f"{case.calls_per_s:,.0f}"),
    _Column("Calls", lambda case: case.calls, lambda case: f"{case.calls:,}"),
    _Column("Errors", lambda case: case.errors, lambda case: str(case.errors)),
)
SAMPLES = ["nanorpc-batch", "64 KiB", "16 in flight", "99.9 µs", "99.9 µs – 99.9 µs", "99.9 µs", "99.9 µs", "9,999,999", "99,999,999", "0"]
"""A text for each column that is as wide as most."""

TITLES = [column.title for column in _COLUMNS]


def alignment(column: int) -> int:
    """Return how a column of figures is aligned, after the first, which has names."""
    return int((Qt.AlignRight if column else Qt.AlignLeft) | Qt.AlignVCenter)


class CasesModel(QAbstractTableModel):
    """A row for each case; figures change in place."""

    def __init__(self) -> None:
        super().__init__()
        self._cases: list[Case] = []

    @property
    def cases(self) -> list[Case]:
        """What is shown."""
        return list(self._cases)

    def show_cases(self, cases: Sequence[Case]) -> None:
        """Show figures."""
        same = len(cases) >= len(self._cases) and all(key_of(a) == key_of(b) for a, b in zip(self._cases, cases, strict=False))
        if not same:
            self.beginResetModel()
            self._cases = list(cases)
            self.endResetModel()
            return
        before = len(self._cases)
        changed = [row for row in range(before) if cases[row].calls != self._cases[row].calls or cases[row].rounds != self._cases[row].rounds]
        if len(cases) > before:
            self.beginInsertRows(QModelIndex(), before, len(cases) - 1)
        self._cases = list(cases)
        if len(cases) > before:
            self.endInsertRows()
        for row in changed:
            for column in range(len(_COLUMNS)):  # for more than one cell a view would paint all of its own
                self.dataChanged.emit(self.index(row, column), self.index(row, column))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How many cases there are."""
        return 0 if parent.isValid() else len(self._cases)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How many figures each has."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """The columns' titles."""
        if orientation == Qt.Horizontal and role == Qt.TextAlignmentRole:
            return alignment(section)
        return TITLES[section] if orientation == Qt.Horizontal and role == Qt.DisplayRole else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """A cell."""
        case, column = self._cases[index.row()], _COLUMNS[index.column()]
        if role == Qt.DisplayRole:
            return column.text(case)
        if role == SORT_ROLE:
            return column.value(case)
        return alignment(index.column()) if role == Qt.TextAlignmentRole else None
