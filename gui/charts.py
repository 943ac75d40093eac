"""The charts in the window: pictures that a thread draws, so that drawing never holds the window up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PyQt5.QtWidgets import QWidget

from nanorpc.bench import Case
from nanorpc.gui.figure import ChartsFigure, Picture, View
from nanorpc.gui.workers import Workers


class Charts(QWidget):
    """Shows the newest picture. At most one is being drawn; what changes meanwhile is drawn next, all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(500, 260)
        self.setAccessibleName("Charts of the benchmark")
        self._figure = ChartsFigure()  # the worker's
        self._worker = Workers(self, threads=1)
        self._view = View()
        self._drawing: View | None = None
        self._picture: Picture | None = None

    @property
    def idle(self) -> bool:
        """Whether what is shown is up to date."""
        return self._drawing is None

    @property
    def drawn_p50(self) -> dict[str, list[tuple[float, float]]]:
        """The points of the left chart by transport, when idle."""
        return self._figure.drawn_p50()

    def begin(self, transports: Sequence[str], sizes: Sequence[int]) -> None:
        """Begin anew, with a line for each transport."""
        self._show(View(tuple(transports), tuple(sizes)))

    def show_cases(self, cases: Sequence[Case], size: int) -> None:
        """Show figures. The distribution is that of one payload size."""
        self._show(replace(self._view, cases=cases, size=size))

    def save(self, path: str, done: Callable[[None], None], failed: Callable[[Exception], None]) -> None:
        """Write the charts to a picture file, and then call ``done``, or ``failed`` with what went wrong."""
        view = self._sized(self._view)
        self._worker.start(lambda: self._figure.save(view, path), done, failed)

    def close_worker(self) -> None:
        """Wait until nothing is being drawn."""
        self._worker.wait(5)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw for the new size."""
        self._show(self._view)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.white)
        if self._picture is not None:
            picture = self._picture
            image = QImage(picture.pixels, picture.width, picture.height, QImage.Format_RGBA8888)
            image.setDevicePixelRatio(picture.ratio)
            painter.drawImage(0, 0, image)

    def _show(self, view: View) -> None:
        self._view = self._sized(view)
        if self._drawing is None:
            self._draw()

    def _sized(self, view: View) -> View:
        size: QSize = self.size()
        return replace(view, width=size.width(), height=size.height(), ratio=self.devicePixelRatioF())

    def _draw(self) -> None:
        view = self._drawing = self._view
        self._worker.start(lambda: self._figure.render(view), self._drawn, self._undrawn)

    def _drawn(self, picture: Picture) -> None:
        drawn, self._drawing = self._drawing, None
        self._picture = picture
        self.update()
        if self._view is not drawn:
            self._draw()

    def _undrawn(self, error: Exception) -> None:
        self._drawing = None
        raise error  # shown by the application
