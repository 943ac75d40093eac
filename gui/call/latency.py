"""How long calls took."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from nanorpc.gui.plots import Hover, PlotWidget, Renderer
from nanorpc.reports.axes import time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import time_text

_BINS = 60
_TICKS_ACROSS, _TICKS_UP = 4, 7
"""Marks for which axes have room."""
_POINTS = 2000
"""How many calls are drawn one by one."""
_PERCENTILES = (50, 90, 99, 99.9)


def times_text(times_ns: Sequence[int]) -> str:
    """Return the time of a call, or of many what they have in common."""
    if len(times_ns) == 1:
        return time_text(times_ns[0])
    p50, p99 = np.percentile(np.asarray(times_ns), (50, 99))
    return f"{len(times_ns):,} calls: p50 {time_text(p50)}, p99 {time_text(p99)}"


def histogram(times_ns: Sequence[int]) -> tuple[list[float], list[int]]:
    """Return the edges of bins, equally wide on a logarithmic axis, and how many times are in each."""
    times = np.asarray(times_ns, np.float64)
    low, high = math.log10(max(times.min(), 1)), math.log10(max(times.max(), 1))
    if high - low < 0.02:  # all in one
        low, high = low - 0.05, high + 0.05
    edges = np.logspace(low, high, _BINS + 1)
    edges[0], edges[-1] = min(edges[0], times.min()), max(edges[-1], times.max())
    counts, _ = np.histogram(times, edges)
    return edges.tolist(), counts.tolist()


def figures(times_ns: Sequence[int]) -> list[tuple[str, str]]:
    """Return the names and values of what is said of times."""
    times = np.asarray(times_ns)
    said = [("fastest", time_text(int(times.min())))]
    said += [(f"p{percent:g}", time_text(value)) for percent, value in zip(_PERCENTILES, np.percentile(times, _PERCENTILES), strict=True)]
    return [*said, ("slowest", time_text(int(times.max()))), ("first", time_text(times_ns[0]))]


@dataclass(frozen=True)
class Times:
    """The times of some calls, ready to be drawn."""

    edges: Sequence[float]
    counts: Sequence[int]
    numbers: Any
    """Which call, from 1 on: some of many calls, among them the slowest."""
    values: Any
    p50: float
    p99: float

    @classmethod
    def of(cls, times_ns: Sequence[int]) -> Times:
        """Return what is drawn of times."""
        times = np.asarray(times_ns, np.float64)
        edges, counts = histogram(times_ns)
        numbers, values = decimated(times)
        p50, p99 = np.percentile(times, (50, 99))
        return cls(edges, counts, numbers, values, float(p50), float(p99))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return times for the marks of a logarithmic axis: 1, 2 and 5 times powers of ten; fewer of these if they were too many; or, if there are none,
    what is in the middle.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [float(step * 10**decade) for decade in decades for step in steps if low <= step * 10**decade <= high]
        if len(found) <= most:
            return found if len(found) > 1 else [float(f"{value:.2g}") for value in np.geomspace(low, high, 5)[1::2]]
    return found[:: -(-len(found) // most)]


def decimated(times: Any) -> tuple[Any, Any]:
    """Return the numbers, from 1 on, and times of calls, of many the slowest of each few: what matters is not to be left out."""
    size = -(-len(times) // _POINTS)
    starts = np.arange(0, len(times), size)
    slowest = np.array([start + int(np.argmax(times[start : start + size])) for start in starts])
    return slowest + 1, times[slowest]


class _LatencyRenderer(Renderer[Times]):
    """A histogram, and beside it the times of calls in their order."""

    grid = (1, 2)
    margins = (66, 16, 40, 26)

    def names(self, data: Times) -> Sequence[str]:
        """What is drawn."""
        return ("calls", "p50", "p99")

    def build(self, axes: list[Axes], data: Times, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._spread, self._order = axes
        self._spread.set_title("How long calls took", loc="left")
        self._order.set_title("In their order" if len(data.numbers) < _POINTS else "In their order, the slowest", loc="left")
        self._order.set_xlabel("call")
        time_axis(self._spread.xaxis)
        time_axis(self._order.yaxis)
        for axis in (self._spread.yaxis, self._order.xaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        calls = series["calls"]
        self._bars = self._spread.stairs(data.counts, data.edges, fill=True, color=calls.colour, alpha=0.75)
        self._points = self._order.plot([], [], linestyle="", marker=".", color=calls.colour)[0]
        self._marks = {
            name: (
                self._spread.axvline(1, color=series[name].colour, linestyle=series[name].dash),
                self._order.axhline(1, color=series[name].colour, linestyle=series[name].dash),
            )
            for name in ("p50", "p99")
        }
        return [self._bars, self._points, *(line for lines in self._marks.values() for line in lines)]

    def update(self, data: Times) -> list[Hover]:
        """Move what is drawn."""
        self._bars.set_data(data.counts, data.edges)
        self._points.set_data(data.numbers, data.values)
        low, high = data.edges[0] / 1.05, data.edges[-1] * 1.05
        self._spread.set_xlim(low, high)
        self._spread.xaxis.set_major_locator(FixedLocator(ticks(low, high, _TICKS_ACROSS)))
        self._order.yaxis.set_major_locator(FixedLocator(ticks(low, high, _TICKS_UP)))
        self._spread.set_ylim(0, max(data.counts) * 1.1)
        self._order.set_ylim(low, high)
        self._order.set_xlim(0, max(data.numbers[-1] * 1.01, 2))
        for name, value in (("p50", data.p50), ("p99", data.p99)):
            across, along = self._marks[name]
            across.set_xdata([value, value])
            along.set_ydata([value, value])
        middles = [math.sqrt(below * above) for below, above in itertools.pairwise(data.edges)]
        return [
            Hover(self._spread, "", middles, data.counts, lambda x, y: f"{y:,.0f} calls took about {time_text(x)}"),
            Hover(self._order, "", data.numbers, data.values, lambda x, y: f"call {x:,.0f}: {time_text(y)}"),
        ]


class Latency(QWidget):
    """The times of a run: figures, and of several calls how they are spread."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Sequence[int] = ()
        self.figures = QLabel()
        self.figures.setWordWrap(True)
        self.figures.setAccessibleName("Times")
        self.figures.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.plot: PlotWidget[Times] = PlotWidget(_LatencyRenderer(), "Histogram of the times", "One call. Repeat it to see how times are spread.")
        layout = QVBoxLayout(self)
        layout.addWidget(self.figures)
        layout.addWidget(self.plot, 1)

    def show_times(self, times_ns: Sequence[int]) -> None:
        """Show the times of calls, of which there is at least one."""
        self.times = times_ns
        said = figures(times_ns) if len(times_ns) > 1 else [("round trip", time_text(times_ns[0]))]
        self.figures.setText(" · ".join(f"{name} <b>{value}</b>" for name, value in said))
        self.plot.show_data(Times.of(times_ns) if len(times_ns) > 1 else None)
