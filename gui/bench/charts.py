"""What is seen of a benchmark while it runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nanorpc.bench import Case
from nanorpc.gui.bench.timeline import Point
from nanorpc.gui.plots import Chart, Charts, Hover
from nanorpc.gui.plots.chart import widen
from nanorpc.reports.axes import decades, time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import calls_text, time_text

_RARE = 1e-3  # times that fewer of the calls took do not widen the axis, which would squeeze the rest
_FIRST = (100.0, 1e6)  # ns
_NARROW = (1000.0, 1e5)  # the same, before there is anything: it widens
_MOST_POINTS = 400
_BUCKET = 2 ** (1 / 16)  # the ratio of a bucket's bounds


@dataclass(frozen=True)
class LiveView:
    """The figures at one payload size, with one number of calls in flight, and at one rate."""

    transports: Sequence[str]
    cases: Mapping[str, Case]
    points: Mapping[str, Sequence[Point]]
    end_s: float
    """Of the axis of time: see :func:`end_of`."""
    at: str
    """Which size and load, as text."""


class _Live(Chart[LiveView]):
    """Axes whose limits widen while figures come in, and begin anew with another size or load."""

    def structure(self, data: LiveView) -> Hashable:
        """Which size and load."""
        return data.at


class OverTime(_Live):
    """The p50 of what has come since the last look, and its p99, faint."""

    def build(self, axes: Axes, data: LiveView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._axes = axes
        axes.set_title("Round trip over time (s since the start): p50, and p99 faint")
        time_axis(axes.yaxis)
        axes.set_ylim(*_NARROW)
        self._lines = {
            name: axes.plot([], [], color=s.colour, marker=s.marker, linestyle=s.dash, markersize=3.5, linewidth=1.2)[0] for name, s in series.items()
        }
        self._faint = {
            name: axes.plot([], [], color=s.colour, marker=s.marker, linestyle="", markersize=2.5, alpha=0.45)[0] for name, s in series.items()
        }
        return [*self._faint.values(), *self._lines.values()]

    def update(self, data: LiveView) -> list[Hover]:
        """Move the lines."""
        hovers, values = [], []
        for name, line in self._lines.items():
            points = data.points.get(name, ())
            points = points[:: -(-len(points) // _MOST_POINTS) or 1]
            x = [point.at_s for point in points]
            p50, p99 = [point.p50_ns for point in points], [point.p99_ns for point in points]
            line.set_data(x, p50)
            self._faint[name].set_data(x, p99)
            values += p50 + p99
            hovers.append(Hover(self._axes, name, x, p50, lambda s, ns: f"p50 {time_text(ns)} at {s:.1f} s"))
            hovers.append(Hover(self._axes, name, x, p99, lambda s, ns: f"p99 {time_text(ns)} at {s:.1f} s"))
        if values:
            widen(self._axes.yaxis, *decades(values, _FIRST))
        self._axes.set_xlim(0, data.end_s)
        return hovers


class Distribution(_Live):
    """How the times are spread."""

    def build(self, axes: Axes, data: LiveView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._axes = axes
        axes.set(xlabel="round trip", title="Distribution")
        time_axis(axes.xaxis)
        axes.set(xlim=_NARROW, ylim=(0, 0.3))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.0f} %"))
        self._steps = {
            name: axes.plot([], [], color=s.colour, linestyle=s.dash, drawstyle="steps-pre", linewidth=1.3)[0] for name, s in series.items()
        }
        return list(self._steps.values())

    def update(self, data: LiveView) -> list[Hover]:
        """Move the lines."""
        hovers, common, top = [], [], 0.0
        for name, line in self._steps.items():
            buckets = data.cases[name].distribution if name in data.cases else []
            total = sum(count for _, count in buckets) or 1
            x = [upper for upper, _ in buckets]
            shares = [count / total for _, count in buckets]
            line.set_data(*_outline(x, shares))
            common += [upper for upper, share in zip(x, shares, strict=True) if share > _RARE]
            top = max([top, *shares])
            hovers.append(Hover(self._axes, name, x, shares, lambda ns, share: f"{share * 100:.2g} % of the calls took about {time_text(ns)}"))
        if common:
            widen(self._axes.xaxis, *decades(common, _FIRST))
        widen(self._axes.yaxis, 0, min(math.ceil(top * 11) / 10, 1.02))
        return hovers


class Rates(_Live):
    """Calls a second, as bars."""

    def build(self, axes: Axes, data: LiveView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._axes = axes
        self._names = list(series)
        axes.set_title("Calls a second")
        axes.grid(False, axis="y")
        axes.set_yticks(range(len(self._names)), [""] * len(self._names))
        axes.tick_params(axis="y", length=0)
        axes.set(ylim=(len(self._names) - 0.4, -0.6), xlim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: calls_text(value)))
        self._bars = axes.barh(range(len(self._names)), [0] * len(self._names), height=0.62, color=[s.colour for s in series.values()])
        self._texts = [axes.text(0, i, "", va="center", fontsize="small") for i in range(len(self._names))]
        return [*self._bars, *self._texts]

    def update(self, data: LiveView) -> list[Hover]:
        """Set the lengths."""
        rates = [data.cases[name].calls_per_s if name in data.cases else 0.0 for name in self._names]
        most = _nice(max(rates, default=0) * 1.6)
        widen(self._axes.xaxis, 0, most)
        most = self._axes.get_xlim()[1]
        hovers = []
        for i, (name, value) in enumerate(zip(self._names, rates, strict=True)):
            self._bars[i].set_width(value)
            self._texts[i].set_text(f"{name}  {calls_text(value)}" if value else name)
            self._texts[i].set_x(value + most * 0.015)
            hovers.append(Hover(self._axes, name, [value], [i], lambda calls, _: f"{calls:,.0f} calls/s"))
        return hovers


class LiveCharts(Charts[LiveView]):
    """Some of them.

    :param legend: whether they have one.
    """

    def __init__(self, charts: Sequence[Chart[LiveView]], legend: bool, bottom: int) -> None:
        super().__init__(charts)
        self.legend = legend
        self.margins = (*self.margins[:2], bottom, self.margins[3])

    def names(self, data: LiveView) -> Sequence[str]:
        """A line for each transport."""
        return data.transports


def _outline(x: Sequence[int], shares: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the corners of a distribution's steps. Buckets without calls are left out of it: a step must not reach over them."""
    corners, heights, before = [], [], 0.0
    for upper, share in zip(x, shares, strict=True):
        if (lower := upper / _BUCKET) > before * 1.01:
            corners += [lower]
            heights += [0.0]
        corners += [float(upper)]
        heights += [share]
        before = upper
    return [*corners, *corners[-1:]], [*heights, *([0.0] if heights else [])]


def end_of(seconds: float) -> float:
    """Return the end of an axis of seconds, which seldom moves."""
    end = 10.0
    while end < seconds:
        end *= 2
    return math.ceil(end)


def _nice(value: float) -> float:
    """Return a round number that is not less."""
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 1.5, 2, 3, 5, 7, 10) if unit * step >= value)
