"""Figures of several charts, each of which can be in more than one figure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, Generic

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from nanorpc.gui.plots.renderer import Data, Hover, Renderer
from nanorpc.gui.theme import Series
from nanorpc.units import size_text, time_text


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


def time_axis(axis: Any) -> None:
    """Make an axis one of times in ns, on a logarithmic scale."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))


def size_axis(axis: Any, sizes: Sequence[int]) -> None:
    """Make an axis one of payload sizes, on a logarithmic scale. No size is drawn as one byte."""
    ticks = sorted({max(size, 1) for size in sizes}) or [1]
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (ticks[0] / 1.6, ticks[-1] * 1.6)})
    axis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // 7)]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda size, _: size_text(size)))
    axis.axes.set_xlabel("payload")


def decades(values: Sequence[float], otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return limits around values, on halves of decades: they change seldom while figures come in."""
    above = [value for value in values if value > 0]
    if not above:
        return otherwise
    low, high = min(above), max(above)
    return 10 ** (math.floor(math.log10(low) * 2 - 0.2) / 2), 10 ** (math.ceil(math.log10(high) * 2 + 0.3) / 2)


def calls_text(calls: float) -> str:
    """Return a number of calls in few characters."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if calls >= size:
            return f"{calls / size:.3g}{unit}"
    return f"{calls:.3g}"
