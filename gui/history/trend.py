"""How a figure has gone from run to run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from nanorpc.gui.plots import Chart, Charts, Hover
from nanorpc.gui.record import Load, Record, load_text
from nanorpc.reports.axes import decades, time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import size_text, time_text

_MOST = 200  # runs


@dataclass(frozen=True)
class TrendView:
    """The p50 of each transport at one size and load."""

    runs: Sequence[Record]
    """The oldest first."""
    size: int
    load: Load
    chosen: frozenset[int]
    """Runs that are marked."""


class Trend(Chart[TrendView]):
    """p50 over runs, which stand at even distances: they are seldom made at even times. A bar shows the spread over a run's rounds."""

    def structure(self, data: TrendView) -> Hashable:
        """The runs."""
        return tuple(run.id for run in data.runs), data.chosen

    def build(self, axes: Axes, data: TrendView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._axes = axes
        ids = [run.id for run in data.runs]
        axes.set(xlabel="run", xlim=(-0.5, max(len(ids) - 0.5, 0.5)))
        axes.xaxis.set_major_locator(FixedLocator(range(0, len(ids), -(-len(ids) // 12) or 1)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: str(ids[round(x)]) if 0 <= round(x) < len(ids) else ""))
        axes.grid(False, axis="x")
        time_axis(axes.yaxis)
        for i, id_ in enumerate(ids):
            if id_ in data.chosen:
                axes.axvline(i, linewidth=9, alpha=0.15, color=axes.xaxis.label.get_color(), zorder=0)
        self._lines = {name: axes.plot([], [], color=s.colour, marker=s.marker, linestyle=s.dash)[0] for name, s in series.items()}
        self._spreads = {name: axes.vlines([], [], [], color=s.colour, linewidth=4, alpha=0.25) for name, s in series.items()}
        return [*self._spreads.values(), *self._lines.values()]

    def update(self, data: TrendView) -> list[Hover]:
        """Move the lines."""
        self._axes.title.set_text(f"p50 over runs, {size_text(data.size)}, {load_text(data.load)}")
        hovers: list[Hover] = []
        times: list[float] = []
        for name, line in self._lines.items():
            found = [(i, case) for i, run in enumerate(data.runs) if (case := run.find(name, data.size, data.load)) and case.calls]
            x, y = [float(i) for i, _ in found], [case.p50_ns for _, case in found]
            line.set_data(x, y)
            self._spreads[name].set_segments([[(i, case.p50_low_ns), (i, case.p50_high_ns)] for i, case in found])
            times += [ns for _, case in found for ns in (case.p50_low_ns, case.p50_high_ns)]
            text = lambda x, ns: f"{data.runs[round(x)].title}: p50 {time_text(ns)}"  # noqa: E731
            hovers.append(Hover(self._axes, name, x, y, text))
        self._axes.set_ylim(*decades(times, (100.0, 1e6)))
        return hovers


class TrendChart(Charts[TrendView]):
    """It alone."""

    def names(self, data: TrendView) -> Sequence[str]:
        """Transports that were measured at this size and load."""
        names = dict.fromkeys(name for run in data.runs for name in run.transports)
        return [name for name in names if any(run.find(name, data.size, data.load) for run in data.runs)]


def trend_of(records: Sequence[Record], chosen: Sequence[Record]) -> TrendView | None:
    """Return the trend at the size and load that most runs share with those that are chosen, or else with each other; None if there is none."""
    keys = [(size, load) for run in chosen or records for size in run.sizes for load in run.loads]
    if not keys:
        return None
    counts = {key: sum(key[0] in run.sizes and key[1] in run.loads for run in records) for key in dict.fromkeys(keys)}
    size, load = max(counts, key=lambda key: (counts[key], -key[0]))
    sharing = [run for run in records if size in run.sizes and load in run.loads]
    return TrendView(tuple(sharing[:_MOST][::-1]), size, load, frozenset(run.id for run in chosen if run.id is not None))
