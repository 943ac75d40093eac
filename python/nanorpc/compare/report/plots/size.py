"""p50 against payload size."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nanorpc.compare.report.labels import Label, at_right
from nanorpc.compare.report.plots.panels import name, panels
from nanorpc.compare.report.rows import Comparison, Row
from nanorpc.compare.report.style import style
from nanorpc.reports.axes import decades, size_axis, time_axis
from nanorpc.reports.palette import Palette

_CASE = "echo"


def has(comparison: Comparison) -> bool:
    """Whether there is anything to draw."""
    return bool(comparison.languages(_CASE))


def draw(comparison: Comparison, palette: Palette) -> Figure:
    """Draw it, both axes logarithmic, with the rounds as a band."""
    languages = comparison.languages(_CASE)
    figure, axes = panels("Round trip against payload size: p50, and its range over the rounds", len(languages), [5.2], sharey=True)
    rows = [row for row in comparison.rows if row.case == _CASE]
    for language, one in zip(languages, axes[0], strict=True):
        size_axis(one.xaxis, [row.size_bytes for row in rows])
        time_axis(one.yaxis)
        one.set_ylim(*decades([row.p50_ns for row in rows], (100, 1e6)))
        one.tick_params(labelleft=True)
        name(one, language)
        _panel(one, comparison.of(_CASE, language), palette)
    axes[0][0].set_ylabel("round trip, p50")
    return figure


def _panel(axes: Axes, rows: list[Row], palette: Palette) -> None:
    contenders: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.size_bytes):
        contenders.setdefault(row.contender, []).append(row)
    labels = []
    for contender, points in contenders.items():
        drawn = style(points[0], palette)
        colour = drawn.series.colour
        sizes = [max(row.size_bytes, 1) for row in points]
        axes.plot(
            sizes,
            [row.p50_ns for row in points],
            color=colour,
            marker=drawn.series.marker,
            linestyle=drawn.series.dash,
            linewidth=drawn.width,
            zorder=drawn.order,
        )
        low, high = [row.p50_low_ns or row.p50_ns for row in points], [row.p50_high_ns or row.p50_ns for row in points]
        axes.fill_between(sizes, low, high, color=colour, alpha=0.08, linewidth=0)
        labels.append(Label(contender, sizes[-1], points[-1].p50_ns, drawn))
    at_right(axes, labels)
