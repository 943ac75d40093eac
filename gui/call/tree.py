"""A value as a tree, whose branches are made when they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt

from nanorpc.commands.human import printable
from nanorpc.commands.values import for_people

_MOST = 1000
"""Children that a branch shows."""

_LONGEST = 200
"""Characters of a value in a line."""


@dataclass(eq=False)
class _Node:
    name: str
    value: Any
    row: int = 0
    parent: _Node | None = None
    made: list[_Node] | None = None
    note: str = ""
    """In place of a value."""

    @property
    def children(self) -> list[_Node]:
        if self.made is None:
            if isinstance(self.value, dict):
                pairs = [(str(key), self.value[key]) for key in list(self.value)[:_MOST]]
            elif isinstance(self.value, list | tuple):
                pairs = [(str(i), item) for i, item in enumerate(self.value[:_MOST])]
            else:
                pairs = []
            self.made = [_Node(printable(name), value, row, self) for row, (name, value) in enumerate(pairs)]
            if self.made and len(self.value) > _MOST:
                self.made.append(_Node("…", None, _MOST, self, note=f"{len(self.value) - _MOST:,} more"))
        return self.made

    @property
    def kind(self) -> str:
        if self.note:
            return ""
        if isinstance(self.value, dict | list | tuple):
            return "object" if isinstance(self.value, dict) else "list"
        return "array" if isinstance(self.value, np.ndarray) else "null" if self.value is None else type(self.value).__name__

    @property
    def text(self) -> str:
        if self.note:
            return self.note
        if isinstance(self.value, dict | list | tuple):
            count = len(self.value)
            return f"{count:,} item{'s' * (count != 1)}"
        if isinstance(self.value, np.ndarray):
            return f"{self.value.dtype} [{', '.join(map(str, self.value.shape))}]"
        if isinstance(self.value, bytes | str) and len(self.value) > _LONGEST:
            return f"{for_people(self.value[:_LONGEST])} …"
        return for_people(self.value)


_TITLES = ("Name", "Value", "Type")


class ValueModel(QAbstractItemModel):
    """A value of MessagePack or JSON."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = _Node("", None)

    def show_value(self, value: Any) -> None:
        """Show another value."""
        self.beginResetModel()
        top = _Node("reply", value)
        self._root = _Node("", None, made=[top])
        top.parent = self._root
        self.endResetModel()

    def clear(self) -> None:
        """Show nothing."""
        self.beginResetModel()
        self._root = _Node("", None)
        self.endResetModel()

    def _node(self, index: QModelIndex) -> _Node:
        return index.internalPointer() if index.isValid() else self._root

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008
        """The index of a child."""
        children = self._node(parent).children
        return self.createIndex(row, column, children[row]) if 0 <= row < len(children) and 0 <= column < len(_TITLES) else QModelIndex()

    def parent(self, index: QModelIndex) -> QModelIndex:  # type: ignore[override]
        """The index of a parent."""
        parent = self._node(index).parent
        return QModelIndex() if parent is None or parent is self._root else self.createIndex(parent.row, 0, parent)

    def hasChildren(self, parent: QModelIndex = QModelIndex()) -> bool:  # noqa: B008
        """Whether there are children, which are not made for that."""
        node = self._node(parent)
        return bool(node.made) or (isinstance(node.value, dict | list | tuple) and bool(node.value) and not node.note)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of children."""
        return len(self._node(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of columns."""
        return len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles."""
        return _TITLES[section] if role == Qt.DisplayRole else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """What a cell shows."""
        if role not in (Qt.DisplayRole, Qt.ToolTipRole):
            return None
        node = self._node(index)
        return (node.name, node.text, node.kind)[index.column()]
