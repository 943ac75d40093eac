"""Figures of several charts, each of which can be in more than one figure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic

from matplotlib.axes import Axes

from nanorpc.gui.plots.renderer import Data, Hover, Renderer
from nanorpc.reports.palette import Series


class Chart(Generic[Data]):
    """What is drawn in one of a figure's axes. One object belongs to one figure."""

    def structure(self, data: Data) -> Hashable:
        """Return what :meth:`build` depends on, beside the names of lines and the theme."""
        return None

    def build(self, axes: Axes, data: Data, series: dict[str, Series]) -> list[Any]:
        """Set up empty axes, and return the artists that :meth:`update` moves."""
        raise NotImplementedError

    def update(self, data: Data) -> list[Hover]:
        """Move the artists, and return the points to be found."""
        raise NotImplementedError


class Charts(Renderer[Data]):
    """Draws charts beside each other, or in some rows."""

    def __init__(self, charts: Sequence[Chart[Data]], rows: int = 1) -> None:
        super().__init__()
        self._charts = charts
        self.grid = (rows, -(-len(charts) // rows))

    def structure(self, data: Data) -> Hashable:
        """That of all charts."""
        return tuple(chart.structure(data) for chart in self._charts)

    def build(self, axes: list[Axes], data: Data, series: dict[str, Series]) -> list[Any]:
        """Set up all charts."""
        for unused in axes[len(self._charts) :]:
            unused.set_visible(False)
        return [artist for chart, one in zip(self._charts, axes, strict=False) for artist in chart.build(one, data, series)]

    def update(self, data: Data) -> list[Hover]:
        """Update all charts."""
        return [hover for chart in self._charts for hover in chart.update(data)]


def widen(axis: Any, low: float, high: float) -> None:
    """Widen the limits of an axis as needed. They do not narrow: limits that go to and fro draw all anew each time."""
    least, most = axis.get_view_interval()
    if low < least or high > most:
        axis.axes.set(**{f"{axis.axis_name}lim": (min(low, least), max(high, most))})
