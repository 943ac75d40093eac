"""How many times as fast as a Unix socket each transport is, and how far from the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt

from nanorpc.bench import Case
from nanorpc.gui.bench.live_table import SORT_ROLE, alignment
from nanorpc.gui.bench.plan import uds_of
from nanorpc.gui.record import Load, Record, load_text
from nanorpc.reports.ratio import Ratio, ratio
from nanorpc.units import size_text, time_text

_FLOORS = ("limit-copy", "limit")


@dataclass(frozen=True)
class Row:
    """A case, and what it is compared with."""

    case: Case
    to_uds: Ratio | None
    """How many times as long the Unix socket takes."""
    to_floor: Ratio | None
    """How many times as long as the floor it takes: with the payload copied, if that was measured."""
    to_baseline: float | None
    """How many times as long as in the baseline it takes."""


def rows(run: Record, baseline: Record | None) -> list[Row]:
    """Return all cases of a run with their ratios."""
    return [_row(case, run, baseline) for case in run.cases]


def _row(case: Case, run: Record, baseline: Record | None) -> Row:
    load: Load = (case.inflight, case.rate)
    uds = run.find(uds_of(case.transport), case.size_bytes, load)
    floor = next((found for name in _FLOORS if name != case.transport and (found := run.find(name, case.size_bytes, load))), None)
    before = baseline.find(case.transport, case.size_bytes, load) if baseline else None
    return Row(
        case,
        ratio(uds.round_p50_ns, case.round_p50_ns) if uds and uds is not case else None,
        ratio(case.round_p50_ns, floor.round_p50_ns) if floor and case.transport not in _FLOORS else None,
        case.p50_ns / before.p50_ns if before and before.p50_ns and case.p50_ns else None,
    )


@dataclass(frozen=True)
class _Column:
    title: str
    value: Callable[[Row], Any]
    text: Callable[[Row], str]
    tip: str = ""


_COLUMNS = (
    _Column("Transport", lambda row: row.case.transport, lambda row: row.case.transport),
    _Column("Payload", lambda row: row.case.size_bytes, lambda row: size_text(row.case.size_bytes)),
    _Column("Load", lambda row: (row.case.inflight, row.case.rate), lambda row: load_text((row.case.inflight, row.case.rate))),
    _Column("p50", lambda row: row.case.p50_ns, lambda row: time_text(row.case.p50_ns)),
    _Column("p99", lambda row: row.case.p99_ns, lambda row: time_text(row.case.p99_ns)),
    _Column("p99.9", lambda row: row.case.p999_ns, lambda row: time_text(row.case.p999_ns)),
    _Column("Calls/s", lambda row: row.case.calls_per_s, lambda row: f"{row.case.calls_per_s:,.0f}"),
    _Column(
        "× faster than uds",
        lambda row: row.to_uds.value if row.to_uds else None,
        lambda row: row.to_uds.text if row.to_uds else "",
        "the p50 of a Unix socket divided by this one's, and the least and the greatest of the rounds",
    ),
    _Column(
        "× the floor",
        lambda row: row.to_floor.value if row.to_floor else None,
        lambda row: row.to_floor.text if row.to_floor else "",
        "the p50 divided by that of limit-copy, or else of limit, and the least and the greatest of the rounds",
    ),
    _Column(
        "vs baseline",
        lambda row: row.to_baseline,
        lambda row: "" if row.to_baseline is None else f"{(row.to_baseline - 1) * 100:+.1f} %",
        "how much longer the p50 is than that of the baseline; less than zero is faster",
    ),
)
SAMPLES = [
    "nanorpc-batch",
    "64 KiB",
    "16 in flight",
    "99.9 µs",
    "99.9 µs",
    "99.9 µs",
    "9,999,999",
    "18.62  (0.17 – 0.21)",
    "0.123  (0.11 – 0.14)",
    "+10.1 %",
]
"""A text for each column that is as wide as most."""
LOAD, BASELINE = 2, len(_COLUMNS) - 1
"""Columns that say nothing where there is one load, and no baseline."""


class RatiosModel(QAbstractTableModel):
    """A row for each case of a run."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown."""
        return tuple(self._rows)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show others."""
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How many cases there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """How many figures each has."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """The columns' titles."""
        if orientation != Qt.Horizontal:
            return None
        if role == Qt.TextAlignmentRole:
            return alignment(section)
        return {Qt.DisplayRole: _COLUMNS[section].title, Qt.ToolTipRole: _COLUMNS[section].tip or None}.get(Qt.ItemDataRole(role))

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """A cell."""
        row, column = self._rows[index.row()], _COLUMNS[index.column()]
        if role == Qt.DisplayRole:
            return column.text(row)
        if role == SORT_ROLE:
            return column.value(row)
        return alignment(index.column()) if role == Qt.TextAlignmentRole else None
