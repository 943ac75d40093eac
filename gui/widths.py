"""Widths of columns whose figures change all the time: such must not jump with them."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtWidgets import QHeaderView

_CELL, _TITLE = 14, 22
"""Pixels beside a text: of a title with room for the sign that tells by what rows are sorted."""


def fit(header: QHeaderView, longest: Sequence[str]) -> None:
    """Make columns as wide as their titles and some texts."""
    metrics = header.fontMetrics()
    for column, text in enumerate(longest):
        title = str(header.model().headerData(column, header.orientation()))
        header.resizeSection(column, max(metrics.horizontalAdvance(text) + _CELL, metrics.horizontalAdvance(title) + _TITLE))
