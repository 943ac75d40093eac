"""The list of transports, of which some are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QStandardItem, QStandardItemModel
from PyQt5.QtWidgets import QAbstractItemView, QListView

from nanorpc.gui.bench.plan import EXPLAINED, all_transports


class TransportList(QListView):
    """Transports with a box each."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Transports")
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setUniformItemSizes(True)
        self.setMinimumHeight(96)
        self._items = {name: QStandardItem(name) for name in all_transports()}
        model = QStandardItemModel(self)
        for name, item in self._items.items():
            item.setCheckable(True)
            item.setToolTip(EXPLAINED.get(name, ""))
            model.appendRow(item)
        self.setModel(model)
        model.itemChanged.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> list[str]:
        """Those that are checked."""
        return [name for name, item in self._items.items() if item.checkState() == Qt.Checked]

    def choose(self, names: Sequence[str]) -> None:
        """Check these alone. What is not there is left out."""
        model = self.model()
        model.blockSignals(True)
        for name, item in self._items.items():
            item.setCheckState(Qt.Checked if name in names else Qt.Unchecked)
        model.blockSignals(False)
        self.viewport().update()
        self.changed.emit()

    def sizeHint(self) -> QSize:
        """Some rows; a tall window shows all."""
        return QSize(200, 170)
