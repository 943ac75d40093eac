"""How a figure has gone from run to run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from nanorpc.gui.plots import Chart, Charts, Hover
from nanorpc.gui.record import Load, Record, load_text
from nanorpc.reports.axes import decades, time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import size_text, time_text

_MOST = 200  # runs

_NEAREST = 1 / 60
"""The distance from one run to the next at least, as a share of the time of all: runs of some minutes, months after others, would be one point."""

_LABEL = 80  # pixels


@dataclass(frozen=True)
class TrendView:
    """The p50 of each transport at one size and load."""

    runs: Sequence[Record]
    """The oldest first."""
    size: int
    load: Load
    chosen: frozenset[int]
    """Runs that are marked."""

    @cached_property
    def times(self) -> list[datetime]:
        """When the runs were started."""
        return [datetime.fromisoformat(run.started) for run in self.runs]

    @cached_property
    def places(self) -> tuple[list[float], bool]:
        """Where the runs are on the axis of time: see :func:`places_of`."""
        return places_of([time.timestamp() for time in self.times])


def places_of(times: Sequence[float]) -> tuple[list[float], bool]:
    """Return places from 0 to 1 for ascending times, as far from each other as the times are, but for those that would be too near, and whether there
    are any.
    """
    if len(times) == 1:
        return [0.5], False
    gaps = [max(after - before, 0.0) for before, after in pairwise(times)]
    least = max(sum(gaps) * _NEAREST, 1.0)
    reached = list(accumulate((max(gap, least) for gap in gaps), initial=0.0))
    return [place / reached[-1] for place in reached], any(gap < least for gap in gaps)


def labels_of(times: Sequence[datetime], places: Sequence[float], most: int) -> list[tuple[float, str]]:
    """Return what is written below an axis, and where: times of day of some runs, below the first of a day the date, and of a year also that.

    :param most: how many there is room for.
    """
    said: list[tuple[float, str]] = []
    before: datetime | None = None
    for time, place in zip(times, places, strict=True):
        if before is not None and place - said[-1][0] < 1 / most:
            continue
        text = time.strftime("%H:%M")
        if before is None or time.year != before.year:
            text += time.strftime("\n%d %b %Y")
        elif time.date() != before.date():
            text += time.strftime("\n%d %b")
        said.append((place, text))
        before = time
    return said


class Trend(Chart[TrendView]):
    """p50 over time. A bar shows the spread over a run's rounds."""

    def structure(self, data: TrendView) -> Hashable:
        """The runs."""
        return tuple((run.id, run.started) for run in data.runs), data.chosen

    def build(self, axes: Axes, data: TrendView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        self._axes = axes
        axes.set(xlim=(-0.03, 1.03))
        axes.grid(False, axis="x")
        time_axis(axes.yaxis)
        for run, place in zip(data.runs, data.places[0], strict=True):
            if run.id in data.chosen:
                axes.axvline(place, linewidth=9, alpha=0.15, color=axes.xaxis.label.get_color(), zorder=0)
        self._lines = {name: axes.plot([], [], color=s.colour, marker=s.marker, linestyle=s.dash)[0] for name, s in series.items()}
        self._spreads = {name: axes.vlines([], [], [], color=s.colour, linewidth=4, alpha=0.25) for name, s in series.items()}
        return [*self._spreads.values(), *self._lines.values()]

    def update(self, data: TrendView) -> list[Hover]:
        """Move the lines."""
        places, moved = data.places
        near = " (runs near each other are set apart)" if moved else ""
        self._axes.title.set_text(f"p50 over time, {size_text(data.size)}, {load_text(data.load)}{near}")
        hovers: list[Hover] = []
        times: list[float] = []
        shown = list(zip(data.runs, places, strict=True))
        for name, line in self._lines.items():
            found = [(run, place, case) for run, place in shown if (case := run.find(name, data.size, data.load)) and case.calls]
            x, y = [place for _, place, _ in found], [case.p50_ns for _, _, case in found]
            line.set_data(x, y)
            self._spreads[name].set_segments([[(place, case.p50_low_ns), (place, case.p50_high_ns)] for _, place, case in found])
            times += [ns for _, _, case in found for ns in (case.p50_low_ns, case.p50_high_ns)]
            titles = {place: run.title for run, place, _ in found}
            hovers.append(Hover(self._axes, name, x, y, lambda x, ns, titles=titles: f"{titles[x]}: p50 {time_text(ns)}"))  # type: ignore[misc]
        self._axes.set_ylim(*decades(times, (100.0, 1e6)))
        labels = labels_of(data.times, places, max(int(self._axes.get_window_extent().width / (_LABEL * self._axes.figure.dpi / 100)), 1))
        self._axes.xaxis.set_major_locator(FixedLocator([place for place, _ in labels]))
        self._axes.xaxis.set_major_formatter(FixedFormatter([text for _, text in labels]))
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
