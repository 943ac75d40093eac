"""The methods of a server as a tree: names with dots in them are branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt

from nanorpc.commands.human import number, period, printable, rate
from nanorpc.commands.sample import Recent
from nanorpc.gui.servers.columns import NOTHING
from nanorpc.gui.servers.record import Record
from nanorpc.introspection import MethodInfo, MethodStats

METHOD = Qt.UserRole
"""The :class:`MethodInfo` of a row; None of a branch."""


@dataclass(eq=False)
class _Node:
    name: str
    parent: _Node | None = None
    children: list[_Node] = field(default_factory=list)
    info: MethodInfo | None = None
    stats: MethodStats | None = None
    recent: Recent = field(default_factory=Recent)

    @property
    def row(self) -> int:
        return self.parent.children.index(self) if self.parent else 0


def _figure(text: Callable[[MethodStats, Recent], str]) -> Callable[[_Node], str]:
    def shown(node: _Node) -> str:
        said = text(node.stats, node.recent) if node.stats else "-"
        return NOTHING if said == "-" else said

    return shown


_COLUMNS: tuple[tuple[str, str, Callable[[_Node], str]], ...] = (
    ("Method", "", lambda node: printable(node.name)),
    ("Calls/s", "in the last second", _figure(lambda _, recent: rate(recent.rate))),
    ("p50", "half of the calls of the last second took less", _figure(lambda _, recent: period(recent.percentile(50)))),
    ("p99", "99 of 100 calls of the last second took less", _figure(lambda _, recent: period(recent.percentile(99)))),
    ("In flight", "taken and not answered", _figure(lambda stats, _: number(stats.in_flight))),
    ("Errors", "since the server's start", _figure(lambda stats, _: number(stats.errors))),
    ("Calls", "since the server's start", _figure(lambda stats, _: number(stats.calls))),
)


class MethodsModel(QAbstractItemModel):
    """The methods of one server, with their figures."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = _Node("")
        self._leaves: dict[str, _Node] = {}
        self._known: list[MethodInfo] = []

    def show_record(self, record: Record) -> None:
        """Show a server's methods, or its new figures."""
        said = record.info.details if record.info else []
        infos = said or [MethodInfo(name=method.name) for method in record.methods]
        if infos != self._known:
            self._rebuild(infos)
        for method in record.methods:
            node = self._leaves.get(method.name)
            if node is not None and record.sample is not None:
                node.stats, node.recent = method, record.recents.get(method.name, Recent())
                row = node.row
                self.dataChanged.emit(self.createIndex(row, 1, node), self.createIndex(row, len(_COLUMNS) - 1, node))

    def find(self, name: str) -> QModelIndex:
        """Return where a method is; an invalid index if there is none of this name."""
        node = self._leaves.get(name)
        return self.createIndex(node.row, 0, node) if node else QModelIndex()

    def _rebuild(self, infos: list[MethodInfo]) -> None:
        self.beginResetModel()
        self._known, self._root, self._leaves = list(infos), _Node(""), {}
        for info in infos:
            *branches, last = info.name.split(".")
            parent = self._root
            for name in branches:
                found = next((child for child in parent.children if child.name == name and child.info is None), None)
                if found is None:
                    found = _Node(name, parent)
                    parent.children.append(found)
                parent = found
            self._leaves[info.name] = leaf = _Node(last, parent, info=info)
            parent.children.append(leaf)
        self.endResetModel()

    def _node(self, index: QModelIndex) -> _Node:
        return index.internalPointer() if index.isValid() else self._root

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008
        """The index of a child."""
        children = self._node(parent).children
        return self.createIndex(row, column, children[row]) if 0 <= row < len(children) and 0 <= column < len(_COLUMNS) else QModelIndex()

    def parent(self, index: QModelIndex) -> QModelIndex:  # type: ignore[override]
        """The index of a parent."""
        parent = self._node(index).parent
        return QModelIndex() if parent is None or parent is self._root else self.createIndex(parent.row, 0, parent)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of children."""
        return len(self._node(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The number of columns."""
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles, and what they mean."""
        title, tip, _ = _COLUMNS[section]
        if role == Qt.TextAlignmentRole and section:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return title if role == Qt.DisplayRole else tip if role == Qt.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """What a cell shows."""
        node = self._node(index)
        if role == Qt.DisplayRole:
            return _COLUMNS[index.column()][2](node)
        if role == Qt.TextAlignmentRole and index.column():
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.ToolTipRole and node.info is not None:
            return printable(str(node.info))
        if role == Qt.AccessibleTextRole:
            title, _, text = _COLUMNS[index.column()]
            return f"{printable(node.name)}, {title}: {text(node)}"
        return node.info if role == METHOD else None
