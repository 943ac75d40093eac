"""Figures with a panel for each language beside each other."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 6.7, 0.75, 1.5, 0.65, 0.6  # inches: of a panel with its margins, and the margins


def panels(title: str, columns: int, heights: list[float], right: float = _RIGHT, left: float = _LEFT, **options: Any) -> tuple[Figure, Any]:
    """Return a figure, and its axes in rows.

    :param heights: of the axes in each row, in inches.
    :param right: inches right of each panel, where labels may stand.
    :param options: as ``Figure.subplots`` takes them.
    """
    width = _WIDTH * columns
    gap = _BOTTOM + 0.35
    height = _TOP + sum(heights) + gap * (len(heights) - 1) + _BOTTOM
    figure = Figure(figsize=(width, height))
    panel = _WIDTH - left - right
    grid = {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - _TOP / height,
        "bottom": _BOTTOM / height,
        "wspace": (left + right) / panel,
        "hspace": gap * len(heights) / sum(heights),
        "height_ratios": heights,
    }
    figure.suptitle(title, x=left / width, y=1 - 0.12 / height, ha="left", va="top", fontsize=12, fontweight="bold")
    return figure, figure.subplots(len(heights), columns, squeeze=False, gridspec_kw=grid, **options)


def name(axes: Axes, text: str) -> None:
    """Give a panel a title."""
    axes.set_title(text, loc="left", fontsize=10)
