"""A value as a tree, whose branches are made when they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt

from nanorpc.codec import Malformed
from nanorpc.commands.human import printable
from nanorpc.commands.values import for_people
from nanorpc.gui.call.packed import PAGE, Branch, Packed, page

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
    """In place of a value: that there is more."""

    @property
    def branch(self) -> Branch | None:
        """What has the parts that are below; None if there are none."""
        return self.value if isinstance(self.value, dict | list | tuple | Packed) and len(self.value) else None

    @property
    def children(self) -> list[_Node]:
        if self.made is None:
            self.made = self.page(0)
        return self.made

    def page(self, number: int) -> list[_Node]:
        """Make some children, the last of which tells that there are more, if there are."""
        branch, first = self.branch, number * PAGE
        if branch is None:
            return []
        made = [_Node(printable(str(name)), value, row, self) for row, (name, value) in enumerate(page(branch, number), first)]
        left = len(branch) - first - len(made)
        return [*made, _Node("…", None, first + len(made), self, note=f"{left:,} more: Enter or a double click shows some")] if left > 0 else made

    @property
    def kind(self) -> str:
        if self.note:
            return ""
        if isinstance(self.value, Packed):
            return "object" if self.value.is_map else "list"
        if isinstance(self.value, dict | list | tuple):
            return "object" if isinstance(self.value, dict) else "list"
        if isinstance(self.value, Malformed):
            return "malformed"
        return "array" if isinstance(self.value, np.ndarray) else "null" if self.value is None else type(self.value).__name__

    @property
    def text(self) -> str:
        if self.note:
            return self.note
        if isinstance(self.value, Malformed):
            return str(self.value)
        if isinstance(self.value, dict | list | tuple | Packed):
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

    def show_more(self, index: QModelIndex) -> None:
        """Show further parts in place of the row that tells of them; of other rows nothing."""
        node = self._node(index)
        parent = node.parent
        if not node.note or parent is None:
            return
        above, row, siblings = self.parent(index), node.row, parent.children
        self.beginRemoveRows(above, row, row)
        siblings.pop()
        self.endRemoveRows()
        more = parent.page(row // PAGE)
        self.beginInsertRows(above, row, row + len(more) - 1)
        siblings += more
        self.endInsertRows()

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
        return bool(node.made) or node.branch is not None

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
