"""The table of results."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from nanorpc.bench import Case
from nanorpc.units import size_text, time_text

_COLUMNS = ["Transport", "Payload", "p50", "p50 of rounds", "p99", "p99.9", "mean", "calls/s", "× uds", "calls", "errors"]


class ResultsTable(QTableWidget):
    """One row for each case; cells are changed in place."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.setEditTriggers(QTableWidget.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectRows)
        self.setAlternatingRowColors(True)
        self.setAccessibleName("Results of the benchmark")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.setMinimumHeight(150)

    def show_cases(self, cases: Sequence[Case]) -> None:
        """Show figures."""
        uds = {case.size_bytes: case.p50_ns for case in cases if case.transport == "uds" and case.calls}
        self.setRowCount(len(cases))
        for row, case in enumerate(cases):
            ratio = uds.get(case.size_bytes, 0) / case.p50_ns if case.p50_ns else 0
            values = [
                case.transport,
                size_text(case.size_bytes),
                *(time_text(case.p50_ns), f"{time_text(case.p50_low_ns)} – {time_text(case.p50_high_ns)}"),
                *(time_text(ns) for ns in (case.p99_ns, case.p999_ns, case.mean_ns)),
                f"{case.calls_per_s:,.0f}",
                f"{ratio:.1f}" if ratio else "",
                f"{case.calls:,}",
                str(case.errors),
            ]
            for column, value in enumerate(values):
                item = self.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    if column:
                        item.setTextAlignment(int(Qt.AlignRight | Qt.AlignVCenter))
                    self.setItem(row, column, item)
                if item.text() != value:
                    item.setText(value)
