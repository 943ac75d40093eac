"""The last minutes of a server, or of one of its methods: calls per second, times, and calls in flight."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from nanorpc.commands.human import number, printable, shorten
from nanorpc.gui.plots import Hover, PlotWidget, Renderer
from nanorpc.gui.servers.record import KEPT, Point
from nanorpc.reports.axes import decades, time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import time_text

_GAP = 5.0
"""Seconds without an answer, over which no line is drawn."""

_SPANS = (60, 120, KEPT)
"""Seconds that the axis may show: it moves seldom."""

_MARKERS = 8
"""On each line, about."""

_LONGEST_NAME = 24


@dataclass(frozen=True)
class Past:
    """The last minutes of something."""

    name: str
    points: Sequence[Point]


class _RollingRenderer(Renderer[Past]):
    """Three charts beside each other, with the same time axis."""

    grid = (1, 3)
    margins = (62, 14, 22, 24)

    def __init__(self, legend: bool) -> None:
        super().__init__()
        self.legend = legend

    def names(self, data: Past) -> Sequence[str]:
        """The lines."""
        return ("calls/s", "p50", "p99", "in flight")

    def structure(self, data: Past) -> Hashable:
        """What it is of: in the title."""
        return data.name

    def build(self, axes: list[Axes], data: Past, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._rate, self._times, self._running = axes
        name = shorten(printable(data.name), _LONGEST_NAME)
        for one, title in zip(axes, (f"{name}: calls per second", "Time at the server", "Calls in flight"), strict=True):
            one.set_title(title, loc="left", parse_math=False)
            one.xaxis.set_major_formatter(FuncFormatter(_ago))
        time_axis(self._times.yaxis)
        for one in (self._rate, self._running):
            one.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            one.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(round(value))))
        self._places = {"calls/s": self._rate, "p50": self._times, "p99": self._times, "in flight": self._running}
        self._lines = {
            name: self._places[name].plot([], [], color=shape.colour, marker=shape.marker, linestyle=shape.dash)[0] for name, shape in series.items()
        }
        return list(self._lines.values())

    def update(self, data: Past) -> list[Hover]:
        """Move the lines."""
        x, values = _columns(data.points)
        span = next((span for span in _SPANS if -x[0] <= span), KEPT) if len(x) else _SPANS[0]
        for one in (self._rate, self._times, self._running):
            one.set_xlim(-span, 0)
            one.xaxis.set_major_locator(MultipleLocator(span / 4))
        self._rate.set_ylim(0, _above(values["calls/s"]))
        self._running.set_ylim(0, _above(values["in flight"]))
        self._times.set_ylim(*decades([*values["p50"], *values["p99"]], (1e3, 1e6)))
        for name, line in self._lines.items():
            line.set_data(x, values[name])
            line.set_markevery(max(len(x) // _MARKERS, 1))  # a share of the line would do, were it not that matplotlib fails for one without values
        return [Hover(self._places[name], name, x, values[name], _TEXTS[name]) for name in self._lines]


class Rolling(PlotWidget[Past]):
    """The charts of the last minutes of something.

    :param what: of what, for people.
    :param placeholder: shown while there are no points.
    :param legend: whether lines are named, else they are in the charts above.
    """

    def __init__(self, what: str, placeholder: str, legend: bool = True) -> None:
        super().__init__(_RollingRenderer(legend), f"The last minutes of {what}", placeholder)
        self.setMinimumSize(300, 110)

    def show_past(self, name: str, points: Sequence[Point]) -> None:
        """Show other points, or further ones."""
        self.show_data(Past(name, tuple(points)) if points else None)


def _columns(data: Sequence[Point]) -> tuple[Any, dict[str, Any]]:
    """Return the seconds before the newest point, and the figures, with nothing in the gaps."""
    rows: list[tuple[float, ...]] = []
    for i, point in enumerate(data):
        if i and point.at - data[i - 1].at > _GAP:
            rows.append((point.at - data[-1].at, *[math.nan] * 4))
        rows.append((point.at - data[-1].at, point.rate, point.p50_ns, point.p99_ns, point.in_flight))
    table = np.array(rows, float).reshape(-1, 5)
    return table[:, 0], dict(zip(("calls/s", "p50", "p99", "in flight"), table[:, 1:].T, strict=True))


def _above(values: Any) -> float:
    """Return a limit for an axis: 1, 2 or 5 times a power of ten, so that it seldom moves."""
    known = values[np.isfinite(values)]
    top = max(float(known.max()) if len(known) else 0.0, 1.0) * 1.05
    power = 10 ** math.floor(math.log10(top))
    return next(float(step * power) for step in (1, 2, 5, 10) if step * power >= top)


def _ago(seconds: float, _: object = None) -> str:
    if seconds > -0.5:
        return "now"
    return f"{-seconds:.0f} s" if seconds > -120 else f"{-seconds / 60:g} min"


_TEXTS = {
    "calls/s": lambda x, y: f"{y:,.1f} calls per second, {_when(x)}",
    "p50": lambda x, y: f"{time_text(y)}, {_when(x)}",
    "p99": lambda x, y: f"{time_text(y)}, {_when(x)}",
    "in flight": lambda x, y: f"{y:.0f}, {_when(x)}",
}


def _when(seconds: float) -> str:
    text = _ago(seconds)
    return text if text == "now" else f"{text} ago"
