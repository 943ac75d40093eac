"""What a run has come to: the reply in several ways, the latency, or the error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QPixmap, QResizeEvent
from PyQt5.QtWidgets import QComboBox, QHeaderView, QLabel, QSizePolicy, QTabWidget, QTreeView, QVBoxLayout, QWidget

from nanorpc.gui.call.failure import Failure
from nanorpc.gui.call.latency import Latency
from nanorpc.gui.call.packed import Packed
from nanorpc.gui.call.reply import Nothing, Reply
from nanorpc.gui.call.run import Outcome
from nanorpc.gui.call.tree import ValueModel
from nanorpc.gui.texts import read_only, set_text

_WIDTHS = (160, 260)
"""Of the tree's first columns, in pixels."""


class Result(QTabWidget):
    """A tab for each way in which an outcome can be looked at; those that show nothing of this one are hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setAccessibleName("Result")
        self.failure = Failure()
        self.tree = QTreeView()
        self.tree.setAccessibleName("Reply as a tree")
        self.tree.setAlternatingRowColors(True)
        self.value = ValueModel(self)
        self.tree.setModel(self.value)
        self.tree.setUniformRowHeights(True)
        self.tree.activated.connect(self.value.show_more)
        self.tree.header().setSectionResizeMode(QHeaderView.Interactive)
        self.tree.header().setStretchLastSection(True)
        self.text = read_only("Reply as text", wrapped=True)
        self.hex = read_only("Reply in hex", wrapped=False)
        self.arrays = Arrays()
        self.picture = Picture()
        self.latency = Latency()
        self._empty = QLabel("Send a call: its reply comes here.")
        self._empty.setAlignment(Qt.AlignCenter)
        self._empty.setWordWrap(True)
        self._looked_at: QWidget = self._empty
        self._pages: list[tuple[str, QWidget]] = [
            ("Reply", self._empty),
            ("Error", self.failure),
            ("Tree", self.tree),
            ("Text", self.text),
            ("Hex", self.hex),
            ("Array", self.arrays),
            ("Image", self.picture),
            ("Latency", self.latency),
        ]
        for title, page in self._pages:
            self.addTab(page, title)
        self.clear()

    def clear(self, text: str = "Send a call: its reply comes here.") -> None:
        """Show that there is no reply."""
        if self.currentWidget() is not self._empty:
            self._looked_at = self.currentWidget()
        self._empty.setText(text)
        self.value.clear()
        self._show_only([self._empty])

    def show_outcome(self, outcome: Outcome) -> None:
        """Show an outcome: first what tells most of it."""
        shown = self._show_reply(outcome.reply) if outcome.reply is not None else []
        if outcome.error is not None:
            self.failure.show_error(outcome.error)
            shown.insert(0, self.failure)
        if len(outcome.times_ns):
            self.latency.show_times(outcome.times_ns)
            shown.append(self.latency)
        self._show_only(shown or [self._empty])

    def _show_reply(self, reply: Reply) -> list[QWidget]:
        """Fill the views, and return those that show something, the best first."""
        shown: list[QWidget] = []
        if reply.image is not None:
            self.picture.show_image(QPixmap.fromImage(reply.image))
            shown.append(self.picture)
        if reply.value is not Nothing:
            self.value.show_value(reply.value)
            self.tree.expandToDepth(0)
            for column, width in enumerate(_WIDTHS):
                self.tree.setColumnWidth(column, width)
            shown.append(self.tree)
        if reply.arrays:
            self.arrays.show_arrays(reply.arrays)
            shown.insert(0 if isinstance(reply.value, np.ndarray) and reply.image is None else len(shown), self.arrays)
        if reply.text:
            set_text(self.text, reply.text)
            shown.insert(len(shown) if isinstance(reply.value, dict | list | np.ndarray | Packed) else 0, self.text)
        self.hex.setPlainText(reply.hex or "The reply is empty.")
        return [*shown, self.hex]

    def _show_only(self, shown: Sequence[QWidget]) -> None:
        """Show the tabs of these pages, and the first of these, unless the user looks at times or bytes, which all calls have."""
        kept = self._looked_at
        for index, (_, page) in enumerate(self._pages):
            self.setTabVisible(index, page in shown)
        self.setCurrentWidget(kept if kept in (self.hex, self.latency) and kept in shown and self.failure not in shown else shown[0])


class Arrays(QWidget):
    """The arrays in a reply: type, shape, first and last values."""

    def __init__(self) -> None:
        super().__init__()
        self._arrays: Sequence[tuple[str, str]] = ()
        self.which = QComboBox()
        self.which.setAccessibleName("Array")
        self.which.currentIndexChanged.connect(self._show)
        self.text = read_only("Array", wrapped=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.which)
        layout.addWidget(self.text, 1)

    def show_arrays(self, arrays: Sequence[tuple[str, str]]) -> None:
        """Show arrays, the first of them first."""
        self._arrays = arrays
        self.which.blockSignals(True)
        self.which.clear()
        self.which.addItems([name for name, _ in arrays])
        self.which.blockSignals(False)
        self.which.setVisible(len(arrays) > 1)
        self._show(0)

    def _show(self, index: int) -> None:
        if 0 <= index < len(self._arrays):
            self.text.setPlainText(self._arrays[index][1])


class Picture(QLabel):
    """A picture, as large as there is room, small ones in whole multiples of their pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignCenter)
        self.setAccessibleName("Reply as an image")
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Ignored)
        self.setMinimumSize(100, 80)
        self.image = QPixmap()

    def show_image(self, image: QPixmap) -> None:
        """Show a picture."""
        self.image = image
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the picture to the new size."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self.image.isNull():
            return
        ratio = self.devicePixelRatioF()
        room = self.size() * ratio
        times = min(room.width() // self.image.width(), room.height() // self.image.height())
        size = self.image.size() * times if times >= 1 else room
        scaled = self.image.scaled(size, Qt.KeepAspectRatio, Qt.FastTransformation if times >= 1 else Qt.SmoothTransformation)
        scaled.setDevicePixelRatio(ratio)
        self.setPixmap(scaled)
