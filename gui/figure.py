"""The benchmark's two charts, drawn by matplotlib without Qt.

Drawing a chart anew takes a hundred milliseconds, nearly all of it for axes and text. So the lines are drawn onto a kept picture of the rest
(blitting), the limits of axes move in steps, seldom, and all of it happens in a thread of its own: see charts.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator

from nanorpc.bench import Case
from nanorpc.plot import colour
from nanorpc.units import size_text, time_text

_MARKERS = {"limit": "s", "limit-copy": "D", "nanorpc": "o", "nanorpc-loan": "P", "nanorpc-batch": "X", "uds": "^", "uds-batch": "v"}
_DPI = 100
_MARGINS = (80, 24, 54, 30)
"""Room around the axes, which does not shrink with the picture: left, right, bottom, top, in pixels."""
_RARE = 1e-3
"""Times that fewer of the calls took do not widen the axis, which would squeeze the rest."""


@dataclass(frozen=True)
class View:
    """What the charts show."""

    transports: Sequence[str] = ()
    sizes: Sequence[int] = (64,)
    cases: Sequence[Case] = ()
    size: int | None = None
    """The payload size whose distribution is drawn."""
    width: int = 1
    height: int = 1
    """Of the picture, in pixels of the window."""
    ratio: float = 1
    """Pixels of the screen for each of those."""


@dataclass(frozen=True)
class Picture:
    """A drawn view: rows of pixels, four bytes each, red, green, blue, alpha."""

    pixels: bytes
    width: int
    height: int
    ratio: float


class ChartsFigure:
    """Round trip against payload size, and the distribution of the times at one size. Used by one thread at a time."""

    def __init__(self) -> None:
        self._figure = Figure(dpi=_DPI)
        self._canvas = FigureCanvasAgg(self._figure)
        self._by_size, self._spread = self._figure.subplots(1, 2)
        self._lines: dict[str, Any] = {}
        self._steps: dict[str, Any] = {}
        self._shown: View | None = None
        self._frame: tuple[object, ...] = ()
        self._background: Any = None
        for axes, label in ((self._by_size, "payload"), (self._spread, "round trip")):
            axes.set_xlabel(label)
            axes.grid(True, which="major", alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xscale("log")
        self._by_size.set_title("Round trip against payload size", fontsize="medium")
        self._by_size.set_ylabel("p50")
        self._by_size.set_yscale("log")
        self._by_size.xaxis.set_major_formatter(FuncFormatter(lambda size, _: size_text(size)))
        self._by_size.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._spread.set_ylabel("share of calls")
        self._spread.xaxis.set_major_locator(LogLocator(numticks=6))
        self._spread.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._spread.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.0f} %"))

    def render(self, view: View) -> Picture:
        """Draw a view."""
        self._apply(view)
        frame = (view.width, view.height, view.ratio, view.transports, view.sizes, view.size)
        frame += (*self._by_size.get_ylim(), *self._spread.get_xlim(), *self._spread.get_ylim())
        if self._background is None or frame != self._frame:
            self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._figure.bbox)
            self._frame = frame
        else:
            self._canvas.restore_region(self._background)
        for artist in self._artists():
            axes: Axes = artist.axes
            axes.draw_artist(artist)
        width, height = self._canvas.get_width_height()
        return Picture(bytes(self._canvas.buffer_rgba()), width, height, view.ratio)

    def save(self, view: View, path: str) -> None:
        """Write a view to a picture file; the name's ending gives the format. Raises OSError."""
        self._apply(view)
        for artist in self._artists():
            artist.set_animated(False)  # else it is left out
        try:
            self._figure.savefig(path, dpi=1.5 * _DPI)
        finally:
            for artist in self._artists():
                artist.set_animated(True)
            self._background = None

    def drawn_p50(self) -> dict[str, list[tuple[float, float]]]:
        """Return the points of the left chart, payload size and time in ns, by transport."""
        return {name: [(float(x), float(y)) for x, y in line.get_xydata()] for name, line in self._lines.items()}

    def _apply(self, view: View) -> None:
        """Make the figure that of a view."""
        if self._shown is None or (view.transports, view.sizes) != (self._shown.transports, self._shown.sizes):
            self._begin(view.transports, view.sizes)
        self._figure.set_dpi(_DPI * view.ratio)
        self._figure.set_size_inches(view.width / _DPI, view.height / _DPI, forward=False)
        left, right, bottom, top = _MARGINS
        if view.width > 2 * (left + right) and view.height > bottom + top:
            self._figure.subplots_adjust(
                left / view.width, bottom / view.height, 1 - right / view.width, 1 - top / view.height, wspace=2 * (left + right) / view.width
            )
        self._move(view)
        self._shown = view

    def _begin(self, transports: Sequence[str], sizes: Sequence[int]) -> None:
        """Begin anew, with a line for each transport."""
        for artist in self._artists():
            artist.remove()
        self._lines = {
            name: self._by_size.plot([], [], marker=_MARKERS.get(name, "o"), color=colour(name), label=name, animated=True)[0] for name in transports
        }
        self._steps = {
            name: self._spread.plot([], [], color=colour(name), drawstyle="steps-pre", label=name, animated=True)[0] for name in transports
        }
        ticks = sorted({max(size, 1) for size in sizes})
        self._by_size.set_xlim(ticks[0] / 1.6, ticks[-1] * 1.6)
        self._by_size.xaxis.set_major_locator(FixedLocator(ticks))
        self._by_size.set_ylim(100, 1e6)
        self._spread.set_xlim(100, 1e6)
        self._spread.set_ylim(0, 0.5)
        for axes in (self._by_size, self._spread):
            axes.minorticks_off()
            if transports:
                axes.legend(loc="upper left", fontsize="small", frameon=False)
            elif axes.get_legend():
                axes.get_legend().remove()

    def _move(self, view: View) -> None:
        """Move the lines to the view's figures."""
        measured = [case for case in view.cases if case.calls]
        for name, line in self._lines.items():
            of_name = [case for case in measured if case.transport == name]
            line.set_data([max(case.size_bytes, 1) for case in of_name], [case.p50_ns for case in of_name])
        p50 = [case.p50_ns for case in measured if case.p50_ns > 0]
        if p50:
            self._by_size.set_ylim(*_decades(min(p50), max(p50)))
        self._spread.set_title("Distribution" if view.size is None else f"Distribution at {size_text(view.size)}", fontsize="medium")
        common: list[int] = []
        top = 0.0
        for name, line in self._steps.items():
            buckets = next((case.distribution for case in measured if case.transport == name and case.size_bytes == view.size), [])
            total = sum(count for _, count in buckets) or 1
            shares = [count / total for _, count in buckets]
            line.set_data([upper for upper, _ in buckets], shares)
            common += [upper for (upper, _), share in zip(buckets, shares, strict=True) if share > _RARE]
            top = max(top, *shares) if shares else top
        if common:
            self._spread.set_xlim(*_decades(min(common), max(common)))
            self._spread.set_ylim(0, math.ceil(top * 12) / 10)

    def _artists(self) -> list[Any]:
        return [*self._lines.values(), *self._steps.values()]


def _decades(low: float, high: float) -> tuple[float, float]:
    """Return limits around times, on halves of decades: they change seldom while figures come in."""
    return 10 ** (math.floor(math.log10(low) * 2 - 0.2) / 2), 10 ** (math.ceil(math.log10(high) * 2 + 0.6) / 2)
