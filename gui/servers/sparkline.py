"""Little charts in a table's cells."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

_MARGIN = 4
_SIZE = QSize(96, 24)


class SparklineDelegate(QStyledItemDelegate):
    """Draws the numbers that a role of the model has as a line from 0 up, the newest at the right.

    :param points: how many numbers fill a cell; fewer leave its left empty.
    """

    def __init__(self, role: int, points: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self._points = points
        self.colour: QColor | None = None
        """Of the line; else that of what is selected."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell, and the line on it."""
        super().paint(painter, option, index)
        values = index.data(self._role)
        if not values or len(values) < 2:
            return
        selected = bool(option.state & QStyle.State_Selected)
        enabled = index.data(Qt.ForegroundRole) is None  # as of those that have gone
        palette = option.palette
        colour = self.colour or palette.color(QPalette.Highlight)
        if selected:
            colour = palette.color(QPalette.HighlightedText)
        elif not enabled:
            colour = palette.color(QPalette.Disabled, QPalette.Text)
        area = QRectF(option.rect).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        line = line_of(values, area, self._points)
        filled = QColor(colour)
        filled.setAlpha(50)
        painter.setPen(Qt.NoPen)
        painter.setBrush(filled)
        painter.drawPolygon(QPolygonF([QPointF(line[0].x(), area.bottom()), *line, QPointF(line[-1].x(), area.bottom())]))
        painter.setPen(QPen(colour, 1.4))
        painter.drawPolyline(QPolygonF(line))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """What a cell takes."""
        return _SIZE


def line_of(values: Sequence[float], area: QRectF, points: int) -> list[QPointF]:
    """Return the corners of a line in an area."""
    shown = values[-points:]
    top = max(max(shown), 1e-9)
    step = area.width() / (points - 1)
    return [
        QPointF(area.right() - (len(shown) - 1 - i) * step, area.bottom() - area.height() * max(value, 0.0) / top) for i, value in enumerate(shown)
    ]
