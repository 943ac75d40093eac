"""What a finished benchmark comes to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nanorpc.bench import Case
from nanorpc.gui.plots import Chart, Charts, Hover
from nanorpc.gui.record import Load, Record, load_text
from nanorpc.reports.axes import calls_axis, decades, percentile_axis, percentile_text, percentiles, size_axis, time_axis
from nanorpc.reports.palette import Series
from nanorpc.units import size_text, time_text

_FIRST = (100.0, 1e6)  # ns
_FAINT = 0.45


@dataclass(frozen=True)
class ResultsView:
    """A run, perhaps beside another, at one size and load where a chart has room for one only."""

    run: Record
    baseline: Record | None
    size: int
    load: Load

    @property
    def runs(self) -> list[Record]:
        """The run, and the baseline if there is one."""
        return [self.run] if self.baseline is None else [self.run, self.baseline]

    @property
    def names(self) -> list[str]:
        """The transports of both."""
        return list(dict.fromkeys(name for run in self.runs for name in run.transports))


class _Lines(Chart[ResultsView]):
    """A line for each transport in each run; those of the baseline are faint and dotted."""

    def begin(self, axes: Axes, data: ResultsView, series: dict[str, Series], marked: bool = True) -> list[Any]:
        """Make the lines, without points."""
        self._axes = axes
        self._lines: dict[tuple[str, int], Line2D] = {}
        for which in range(len(data.runs)):
            for name, s in series.items():
                style: dict[str, Any] = {"color": s.colour, "marker": s.marker if marked else "", "linestyle": s.dash}
                if which:
                    style |= {"alpha": _FAINT, "linestyle": ":", "fillstyle": "none"}
                self._lines[name, which] = axes.plot([], [], **style)[0]
        return list(self._lines.values())

    def structure(self, data: ResultsView) -> Hashable:
        """Whether there is a baseline."""
        return len(data.runs)

    def of(self, data: ResultsView, which: int, name: str) -> str:
        """Return what a point is labelled with."""
        return f"{name} (baseline)" if which else name


class Percentiles(_Lines):
    """Times by percentile, as HdrHistogram plots them: x is 1/(1-p), logarithmic, so that each nine has the same room."""

    def build(self, axes: Axes, data: ResultsView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        percentile_axis(axes.xaxis)
        time_axis(axes.yaxis)
        return self.begin(axes, data, series, marked=False)

    def update(self, data: ResultsView) -> list[Hover]:
        """Move the lines."""
        self._axes.title.set_text(f"Percentiles, {size_text(data.size)}, {load_text(data.load)}")
        hovers: list[Hover] = []
        times: list[float] = []
        most = 100.0
        for (name, which), line in self._lines.items():
            case = data.runs[which].find(name, data.size, data.load)
            x, y = percentiles(case.distribution) if case else ([], [])
            line.set_data(x, y)
            times += y
            most = max([most, *x])
            hovers.append(Hover(self._axes, self.of(data, which, name), x, y, lambda x, ns: f"{percentile_text(x)} took up to {time_text(ns)}"))
        self._axes.set_xlim(1, most * 1.3)
        self._axes.set_ylim(*decades(times, _FIRST))
        return hovers


class AgainstSize(_Lines):
    """p50, and p99 faint, against payload size."""

    def structure(self, data: ResultsView) -> Hashable:
        """Also the sizes."""
        return len(data.runs), tuple(sorted({size for run in data.runs for size in run.sizes}))

    def build(self, axes: Axes, data: ResultsView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        size_axis(axes.xaxis, [size for run in data.runs for size in run.sizes])
        time_axis(axes.yaxis)
        lines = self.begin(axes, data, series)
        self._p99 = {
            key: axes.plot([], [], color=line.get_color(), linestyle="--", linewidth=0.9, alpha=0.6 if not key[1] else 0.3)[0]
            for key, line in self._lines.items()
        }
        return [*self._p99.values(), *lines]

    def update(self, data: ResultsView) -> list[Hover]:
        """Move the lines."""
        self._axes.title.set_text(f"p50, and p99 dashed, {load_text(data.load)}")
        hovers: list[Hover] = []
        times: list[float] = []
        for (name, which), line in self._lines.items():
            run = data.runs[which]
            cases = [case for size in run.sizes if (case := run.find(name, size, data.load)) and case.calls]
            x = [float(max(case.size_bytes, 1)) for case in cases]
            p50, p99 = [case.p50_ns for case in cases], [case.p99_ns for case in cases]
            line.set_data(x, p50)
            self._p99[name, which].set_data(x, p99)
            times += p50 + p99
            label = self.of(data, which, name)
            hovers.append(Hover(self._axes, label, x, p50, lambda size, ns: f"{size_text(size)}, p50 {time_text(ns)}"))
            hovers.append(Hover(self._axes, label, x, p99, lambda size, ns: f"{size_text(size)}, p99 {time_text(ns)}"))
        self._axes.set_ylim(*decades(times, _FIRST))
        return hovers


class Throughput(_Lines):
    """p99 against calls a second: a point for each load of a transport, joined in their order."""

    def build(self, axes: Axes, data: ResultsView, series: dict[str, Series]) -> list[Any]:
        """Set up the axes."""
        calls_axis(axes.xaxis)
        time_axis(axes.yaxis)
        return self.begin(axes, data, series)

    def update(self, data: ResultsView) -> list[Hover]:
        """Move the lines."""
        self._axes.title.set_text(f"p99 against throughput, {size_text(data.size)}")
        hovers: list[Hover] = []
        rates: list[float] = []
        times: list[float] = []
        for (name, which), line in self._lines.items():
            run = data.runs[which]
            found = [(load, case) for load in run.loads if (case := run.find(name, data.size, load)) and case.calls and _is(case, load, name)]
            x, y = [case.calls_per_s for _, case in found], [case.p99_ns for _, case in found]
            line.set_data(x, y)
            rates += x
            times += y
            loads = {case.calls_per_s: load_text(load) for load, case in found}
            text = lambda calls, ns, loads=loads: f"{loads[calls]}: {calls:,.0f} calls/s, p99 {time_text(ns)}"  # noqa: E731
            hovers.append(Hover(self._axes, self.of(data, which, name), x, y, text))
        self._axes.set_xlim(*decades(rates, (1e3, 1e7)))
        self._axes.set_ylim(*decades(times, _FIRST))
        return hovers


class ResultsCharts(Charts[ResultsView]):
    """Some of them."""

    def names(self, data: ResultsView) -> Sequence[str]:
        """A line for each transport, in both runs."""
        return data.names


def _is(case: Case, load: Load, name: str) -> bool:
    """Whether a case is that of a load, rather than one of Python's, which stands beside all."""
    return (case.inflight, case.rate) == load or not name.startswith("py ")
