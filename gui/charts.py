"""The benchmark's two charts. Lines are made once for each transport and moved as figures come in.

Drawing a chart anew takes tens of milliseconds, nearly all of it for axes and text. So the lines are drawn onto a kept picture of the rest
(blitting), and limits of axes move in steps, seldom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_qt5agg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator
from PyQt5.QtGui import QResizeEvent

from nanorpc.bench import Case
from nanorpc.plot import colour
from nanorpc.units import size_text, time_text

_MARKERS = {"limit": "s", "limit-copy": "D", "nanorpc": "o", "uds": "^"}
_MARGINS = (80, 24, 54, 30)
"""Room around the axes: left, right, bottom, top, in pixels."""
_RARE = 1e-3
"""Times that fewer of the calls took do not widen the axis, which would squeeze the rest."""


class Charts(FigureCanvasQTAgg):
    """Round trip against payload size, and the distribution of the times at one size."""

    def __init__(self) -> None:
        self._figure = Figure()
        super().__init__(self._figure)
        self.setMinimumSize(500, 260)
        self.setAccessibleName("Charts of the benchmark")
        self._by_size, self._spread = self._figure.subplots(1, 2)
        self._lines: dict[str, Any] = {}
        self._steps: dict[str, Any] = {}
        self._background: Any = None
        self.mpl_connect("draw_event", self._keep_background)
        for axes, label, title in ((self._by_size, "payload", "Round trip against payload size"), (self._spread, "round trip", "Distribution")):
            axes.set_xlabel(label)
            axes.set_title(title, fontsize="medium")
            axes.grid(True, which="major", alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xscale("log")
        self._by_size.set_ylabel("p50")
        self._by_size.set_yscale("log")
        self._by_size.xaxis.set_major_formatter(FuncFormatter(lambda size, _: size_text(size)))
        self._by_size.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._spread.set_ylabel("share of calls")
        self._spread.xaxis.set_major_locator(LogLocator(numticks=6))
        self._spread.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._spread.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.0f} %"))
        self.clear([], [64])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the room for labels, which do not shrink with the window."""
        width, height = max(event.size().width(), 1), max(event.size().height(), 1)
        left, right, bottom, top = _MARGINS
        self._figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, wspace=0.22)
        super().resizeEvent(event)

    def clear(self, transports: Sequence[str], sizes: Sequence[int]) -> None:
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
        self.draw_idle()

    def show_cases(self, cases: Sequence[Case], size: int) -> None:
        """Move the lines to new figures. The distribution is that of one size."""
        before = self._frame()
        measured = [case for case in cases if case.calls]
        for name, line in self._lines.items():
            of_name = [case for case in measured if case.transport == name]
            line.set_data([max(case.size_bytes, 1) for case in of_name], [case.p50_ns for case in of_name])
        p50 = [case.p50_ns for case in measured if case.p50_ns > 0]
        if p50:
            self._by_size.set_ylim(*_decades(min(p50), max(p50)))
        self._spread.set_title(f"Distribution at {size_text(size)}", fontsize="medium")
        common: list[int] = []
        top = 0.0
        for name, line in self._steps.items():
            buckets = next((case.distribution for case in measured if case.transport == name and case.size_bytes == size), [])
            total = sum(count for _, count in buckets) or 1
            shares = [count / total for _, count in buckets]
            line.set_data([upper for upper, _ in buckets], shares)
            common += [upper for (upper, _), share in zip(buckets, shares, strict=True) if share > _RARE]
            top = max(top, *shares) if shares else top
        if common:
            self._spread.set_xlim(*_decades(min(common), max(common)))
            self._spread.set_ylim(0, math.ceil(top * 12) / 10)
        if self._background is None or self._frame() != before:
            self.draw_idle()
        else:
            self._draw_lines()

    def save(self, path: str) -> None:
        """Write both charts to a picture; the name's ending gives the format. Raises OSError."""
        for artist in self._artists():
            artist.set_animated(False)  # else it is left out
        try:
            self._figure.savefig(path, dpi=150)
        finally:
            for artist in self._artists():
                artist.set_animated(True)
            self.draw_idle()

    def _artists(self) -> list[Any]:
        return [*self._lines.values(), *self._steps.values()]

    def _frame(self) -> tuple[object, ...]:
        """Return what the kept picture depends on."""
        return (*self._by_size.get_ylim(), *self._spread.get_xlim(), *self._spread.get_ylim(), self._spread.get_title())

    def _keep_background(self, _: object) -> None:
        if any(not artist.get_animated() for artist in self._artists()):
            return  # being saved
        self._background = self.copy_from_bbox(self._figure.bbox)
        for artist in self._artists():
            _axes(artist).draw_artist(artist)

    def _draw_lines(self) -> None:
        self.restore_region(self._background)
        for artist in self._artists():
            _axes(artist).draw_artist(artist)
        self.blit(self._figure.bbox)


def _axes(artist: Any) -> Axes:
    axes: Axes = artist.axes
    return axes


def _decades(low: float, high: float) -> tuple[float, float]:
    """Return limits around times, on halves of decades: they change seldom while figures come in."""
    return 10 ** (math.floor(math.log10(low) * 2 - 0.2) / 2), 10 ** (math.ceil(math.log10(high) * 2 + 0.6) / 2)
