"""What a call costs the CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nanorpc.compare.report.plots.panels import name, panels
from nanorpc.compare.report.rows import Comparison, Group, Row
from nanorpc.compare.report.style import style
from nanorpc.reports.palette import Palette
from nanorpc.units import time_text

_BAR, _LEAST = 0.24, 0.7  # inches
_CUT = 6  # times the median; what is longer is cut off, for the others to be seen


def has(comparison: Comparison) -> bool:
    """Whether there is anything to draw."""
    return bool(_panels(comparison))


def _panels(comparison: Comparison) -> Mapping[str, Mapping[Group, Sequence[Row]]]:
    found = {}
    for language in comparison.languages():
        of_language = {
            group: [row for row in rows if row.cpu_ns is not None and not row.floor]
            for group, rows in comparison.groups(("rate", "echo"), language).items()
            if group.case == "rate" or group.size_bytes == 64
        }
        found[language] = {group: rows for group, rows in of_language.items() if rows}
    return {language: groups for language, groups in found.items() if groups}


def draw(comparison: Comparison, palette: Palette) -> Figure:
    """Draw a row of panels for each load, bars in the order of their cost."""
    found = _panels(comparison)
    groups = list(dict.fromkeys(group for panel in found.values() for group in panel))
    heights = [max(_LEAST, *(_BAR * len(panel.get(group, ())) for panel in found.values())) for group in groups]
    figure, axes = panels("CPU time for each call: client, and server paler", len(found), heights, right=0.9, left=1.3)
    for i, group in enumerate(groups):
        for (language, panel), one in zip(found.items(), axes[i], strict=True):
            text = group.text if group.case == "rate" else f"{group.text}, closed loop"
            name(one, f"{language}: {text}")
            _panel(one, panel.get(group, ()), palette)
            one.set_visible(group in panel)
    return figure


def _panel(axes: Axes, rows: Sequence[Row], palette: Palette) -> None:
    ordered = sorted(rows, key=lambda row: row.cpu_ns or 0)
    costs = [row.cpu_ns or 0 for row in ordered]
    end = min(max(costs, default=1), _CUT * median(costs or [1]))
    axes.set(xlim=(0, end * 1.18), ylim=(len(ordered) - 0.4, -0.6))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(ordered)), [row.contender for row in ordered])
    for i, (row, cost) in enumerate(zip(ordered, costs, strict=True)):
        drawn = style(row, palette)
        client = min(row.client_cpu_ns or 0, end)
        axes.barh(i, client, height=0.66, color=drawn.series.colour)
        axes.barh(i, min(cost, end) - client, left=client, height=0.66, color=drawn.series.colour, alpha=0.45)
        cut = cost > end
        axes.text(min(cost, end) + end * 0.012, i, f"{'» ' if cut else ''}{time_text(cost)}", va="center", fontsize=8.5, fontweight=drawn.weight)
        axes.get_yticklabels()[i].set(color=drawn.series.colour, fontweight=drawn.weight)
