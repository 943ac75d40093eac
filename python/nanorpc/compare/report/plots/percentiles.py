"""Times by percentile, at the smallest payload."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nanorpc.compare.report.labels import Label, at_right
from nanorpc.compare.report.plots.panels import name, panels
from nanorpc.compare.report.rows import Comparison, Row
from nanorpc.compare.report.style import style
from nanorpc.reports.axes import decades, percentile_axis, percentiles, time_axis
from nanorpc.reports.palette import Palette

_CASE, _SIZE = "echo", 64


def has(comparison: Comparison) -> bool:
    """Whether there is anything to draw."""
    return bool(_languages(comparison))


def _languages(comparison: Comparison) -> list[str]:
    return [language for language in comparison.languages(_CASE) if not all(row.floor for row in _rows(comparison, language))]


def _rows(comparison: Comparison, language: str) -> list[Row]:
    return [row for row in comparison.of(_CASE, language) if row.size_bytes == _SIZE and row.distribution]


def draw(comparison: Comparison, palette: Palette) -> Figure:
    """Draw it. The ends are the slowest calls of all rounds, so that those who made more calls go further to the right."""
    languages = _languages(comparison)
    figure, axes = panels("Round trip by percentile, 64 B, one call at a time, all rounds together", len(languages), [5.2], sharex=True, sharey=True)
    rows = [row for language in languages for row in _rows(comparison, language)]
    times = [float(upper) for row in rows for upper, _ in row.distribution]
    most = max(sum(count for _, count in row.distribution) for row in rows)
    for language, one in zip(languages, axes[0], strict=True):
        percentile_axis(one.xaxis)
        time_axis(one.yaxis)
        one.set(xlim=(1, most * 2.5), ylim=decades(times, (100, 1e6)))
        one.tick_params(labelleft=True)
        name(one, language)
        _panel(one, _rows(comparison, language), palette)
    axes[0][0].set_ylabel("round trip")
    return figure


def _panel(axes: Axes, rows: list[Row], palette: Palette) -> None:
    labels = []
    for row in rows:
        drawn = style(row, palette)
        x, y = percentiles(row.distribution)
        axes.plot(
            x,
            y,
            color=drawn.series.colour,
            linestyle=drawn.series.dash,
            linewidth=drawn.width,
            zorder=drawn.order,
            marker=drawn.series.marker,
            markevery=_nines(x),
        )
        labels.append(Label(row.contender, x[-1], y[-1], drawn))
    at_right(axes, labels)


def _nines(x: list[float]) -> list[int]:
    """Return which points have a marker: the first at each nine, and the last."""
    found = [next((i for i, value in enumerate(x) if value >= nine), len(x) - 1) for nine in (10, 100, 1_000, 10_000, 100_000)]
    return sorted({*found, len(x) - 1})
