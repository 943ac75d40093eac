"""Calls a second against the time of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nanorpc.compare.report.bars import THROUGHPUT
from nanorpc.compare.report.labels import Label, beside
from nanorpc.compare.report.plots.panels import name, panels
from nanorpc.compare.report.rows import Comparison, Group, Row
from nanorpc.compare.report.style import style
from nanorpc.reports.axes import calls_axis, decades, time_axis
from nanorpc.reports.palette import Palette


def has(comparison: Comparison) -> bool:
    """Whether there is anything to draw."""
    return bool(_panels(comparison))


def _panels(comparison: Comparison) -> Mapping[str, Mapping[Group, Sequence[Row]]]:
    groups = {language: comparison.groups(THROUGHPUT, language) for language in comparison.languages()}
    return {language: found for language, found in groups.items() if found}


def draw(comparison: Comparison, palette: Palette) -> Figure:
    """Draw a row of panels for each load. Best is at the lower right."""
    found = _panels(comparison)
    groups = list(dict.fromkeys(group for panel in found.values() for group in panel))
    figure, axes = panels("Calls a second against p50 (best is at the lower right)", len(found), [4.2] * len(groups), right=0.9)
    for i, group in enumerate(groups):
        rows = [row for panel in found.values() for row in panel.get(group, ())]
        for (language, panel), one in zip(found.items(), axes[i], strict=True):
            calls_axis(one.xaxis)
            time_axis(one.yaxis)
            one.set(xlim=decades([row.calls_per_s for row in rows], (1e3, 1e7)), ylim=decades([row.p50_ns for row in rows], (100, 1e6)))
            name(one, f"{language}: {group.text}")
            _panel(one, panel.get(group, ()), palette)
            one.set_visible(group in panel)
        axes[i][0].set_ylabel("p50")
    return figure


def _panel(axes: Axes, rows: Sequence[Row], palette: Palette) -> None:
    labels = []
    for row in rows:
        drawn = style(row, palette)
        size = 10 if row.ours else 7
        axes.plot(
            [row.calls_per_s], [row.p50_ns], color=drawn.series.colour, marker=drawn.series.marker, markersize=size, linestyle="", zorder=drawn.order
        )
        labels.append(Label(row.contender, row.calls_per_s, row.p50_ns, drawn))
    beside(axes, labels)
