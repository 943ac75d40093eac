"""Tables, all in one manner."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QSortFilterProxyModel, Qt
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QTableView

_ROOM = 8
_PADDING = 14
_ARROW = 10  # of the column that is sorted by


class SortProxy(QSortFilterProxyModel):
    """Sorts by a role of the model, whose values may be of any kind that can be compared, such as tuples, which Qt cannot."""

    def __init__(self, model: QAbstractItemModel, role: int) -> None:
        super().__init__()
        self.setSourceModel(model)
        self._role = role
        self.setFilterKeyColumn(-1)
        self.setFilterCaseSensitivity(Qt.CaseInsensitive)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Compare."""
        a, b = left.data(self._role), right.data(self._role)
        return bool(a < b) if a is not None and b is not None else a is None and b is not None


class Table(QTableView):
    """Whole rows are selected, and sorted by a click on a column's title; the tab key leaves the table."""

    def __init__(self, model: QAbstractItemModel, name: str, sortable: bool = True) -> None:
        super().__init__()
        self.setModel(model)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + _ROOM)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.Interactive)
        header.setStretchLastSection(True)
        if sortable:
            header.setSortIndicator(-1, Qt.AscendingOrder)
            self.setSortingEnabled(True)

    def fit(self, samples: Sequence[str]) -> None:
        """Make each column as wide as its title and a text: columns that follow their figures would never stand still."""
        fit(self.horizontalHeader(), samples)


def fit(header: QHeaderView, samples: Sequence[str]) -> None:
    """Do what :meth:`Table.fit` does, for the columns of any view."""
    metrics, model = header.fontMetrics(), header.model()
    for column, sample in enumerate(samples):
        title = str(model.headerData(column, Qt.Horizontal))
        header.resizeSection(column, max(metrics.horizontalAdvance(sample), metrics.horizontalAdvance(title) + _ARROW) + _PADDING)
