"""A plot in a screen: a picture that a thread draws, so that drawing never holds the window up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic

import numpy as np
from PyQt5.QtCore import QEvent, QPoint, QPointF, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QToolTip, QWidget

from nanorpc.gui.plots.renderer import Data, Frame, Marks, Picture, Renderer
from nanorpc.gui.theme import LIGHT, Theme
from nanorpc.gui.workers import Workers

_NEAR = 28.0  # pixels from a point, in which the mouse finds it
_RING = 5.0  # pixels

# One thread draws all plots: matplotlib's settings are the process's, and with one at a time the window gets its turn.
_DRAWING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nanorpc-plots")


class PlotWidget(QWidget, Generic[Data]):
    """Shows the newest picture. At most one is being drawn, and none while it is hidden; what changes meanwhile is drawn next, all at once.

    :param renderer: belongs to the widget, which uses it in a thread of its own.
    :param name: for people who cannot see it.
    :param placeholder: shown while there are no data.
    :param interval: ms from a picture to the next at least.
    """

    hovered = pyqtSignal(str)
    """What is at the point under the mouse, or empty."""

    def __init__(self, renderer: Renderer[Data], name: str, placeholder: str = "", interval: int = 60, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.renderer = renderer
        """To be used elsewhere only while :attr:`idle`."""
        self.placeholder = placeholder
        self.setAccessibleName(name)
        self.setAttribute(Qt.WA_OpaquePaintEvent)  # what is behind it is not painted
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMinimumSize(240, 150)
        self._theme = LIGHT
        self._worker = Workers(self, pool=_DRAWING)
        self._data: Data | None = None
        self._wanted: tuple[Data, Frame] | None = None
        self._drawing = False
        self._picture: Picture | None = None
        self._found: tuple[int, int] | None = None
        """The line and the point under the mouse."""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(interval)
        self._pause.timeout.connect(self._draw)

    @property
    def idle(self) -> bool:
        """Whether what is shown is up to date."""
        return not self._drawing and self._wanted is None

    @property
    def data(self) -> Data | None:
        """What is shown."""
        return self._data

    @property
    def marks(self) -> list[Marks]:
        """The points that can be found in the picture that is shown."""
        return list(self._picture.marks) if self._picture else []

    def show_data(self, data: Data | None) -> None:
        """Show data, or the placeholder."""
        self._data = data
        if data is None:
            self._wanted = self._picture = self._found = None
            self.update()
        else:
            self._want()

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self._theme = theme
        self._want()
        self.update()

    def save(self, path: str, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Write the figure, of which there must be data, to a file whose ending gives the format. Then call ``done``, or ``failed``."""
        data, frame = self._data, self._frame()
        assert data is not None
        self.draw_elsewhere(lambda: self.renderer.save(data, frame, path), done, failed)

    def draw_elsewhere(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Run work that uses matplotlib, such as an export, in the thread that draws. Then call ``done``, or ``failed``."""
        self._worker.start(work, done, failed)

    def shutdown(self) -> None:
        """Draw no more, and wait until nothing is being drawn."""
        self._wanted = None
        self._pause.stop()
        self._worker.wait(5)

    def sizeHint(self) -> QSize:
        """What it would like to have."""
        return QSize(520, 300)

    def _frame(self) -> Frame:
        return Frame(self._theme, self.width(), self.height(), self.devicePixelRatioF())

    def _want(self) -> None:
        if self._data is None or not self.isVisible():
            return
        self._wanted = (self._data, self._frame())
        if not self._drawing and not self._pause.isActive():
            self._draw()

    def _draw(self) -> None:
        if self._wanted is None or self._drawing:
            return
        (data, frame), self._wanted = self._wanted, None
        self._drawing = True
        self._worker.start(lambda: self.renderer.render(data, frame), self._drawn, self._undrawn)

    def _drawn(self, picture: Picture) -> None:
        self._drawing = False
        if self._data is not None:
            self._picture = picture
            self._found = None if self._found is None or not self._has(self._found) else self._found
            self.update()
        self._pause.start()

    def _undrawn(self, error: Exception) -> None:
        self._drawing = False
        raise error  # shown by the application

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what has come while it was hidden."""
        self._want()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw for the new size."""
        self._want()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, and a ring around the point that was found."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._theme.base))
        if self._picture is None:
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(self.rect().adjusted(16, 8, -16, -8), int(Qt.AlignCenter | Qt.TextWordWrap), self.placeholder)
        else:
            picture = self._picture
            image = QImage(picture.pixels, picture.width, picture.height, QImage.Format_RGBA8888)
            image.setDevicePixelRatio(picture.ratio)
            painter.drawImage(0, 0, image)
            if self._found is not None:
                painter.setPen(QPen(QColor(self._theme.text), 1.5))
                painter.drawEllipse(self._at(self._found), _RING, _RING)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.accent), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what is at the nearest point."""
        self._find(self._nearest(event.pos()), event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        """Tell of nothing any more."""
        self._find(None, QPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right go along a line, up and down from line to line."""
        steps = {Qt.Key_Left: (0, -1), Qt.Key_Right: (0, 1), Qt.Key_Up: (-1, 0), Qt.Key_Down: (1, 0)}
        filled = [i for i, marks in enumerate(self.marks) if len(marks.pixels)]
        if event.key() not in steps or not filled:
            super().keyPressEvent(event)
            return
        line_step, step = steps[Qt.Key(event.key())]
        if self._found is None:
            found = (filled[0], 0)
        else:
            line = filled[(filled.index(self._found[0]) + line_step) % len(filled)]
            found = (line, min(max(self._found[1] + step, 0), len(self.marks[line].pixels) - 1))
        self._find(found, self.mapToGlobal(self._at(found).toPoint()))

    def _has(self, found: tuple[int, int]) -> bool:
        return found[0] < len(self.marks) and found[1] < len(self.marks[found[0]].pixels)

    def _at(self, found: tuple[int, int]) -> QPointF:
        return QPointF(*self.marks[found[0]].pixels[found[1]])

    def _nearest(self, position: QPoint) -> tuple[int, int] | None:
        best, found = _NEAR, None
        for line, marks in enumerate(self.marks):
            if not len(marks.pixels):
                continue
            distances = np.hypot(*(marks.pixels - (position.x(), position.y())).T)
            nearest = int(np.nanargmin(distances)) if not np.all(np.isnan(distances)) else 0
            if distances[nearest] < best:
                best, found = float(distances[nearest]), (line, nearest)
        return found

    def _find(self, found: tuple[int, int] | None, position: QPoint) -> None:
        if found == self._found:
            return
        self._found = found
        text = self.marks[found[0]].text(found[1]) if found else ""
        if text:
            QToolTip.showText(position + QPoint(8, 8), text, self)
        else:
            QToolTip.hideText()
        self.setAccessibleDescription(text)
        self.hovered.emit(text)
        self.update()
