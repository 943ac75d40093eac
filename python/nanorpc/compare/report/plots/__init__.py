"""The plots of a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

from nanorpc.compare.report.plots import cpu, percentiles, size, throughput
from nanorpc.compare.report.rows import Comparison
from nanorpc.reports.palette import LIGHT, Palette

_DPI = 150


@dataclass(frozen=True)
class Plot:
    """One of them."""

    name: str
    """Of its file."""
    description: str
    has: Callable[[Comparison], bool]
    """Whether there is anything to draw."""
    draw: Callable[[Comparison, Palette], Figure]


PLOTS = (
    Plot("size", "p50 against payload size", size.has, size.draw),
    Plot("percentiles", "percentiles at 64 B", percentiles.has, percentiles.draw),
    Plot("throughput", "calls a second against p50, with many calls in flight and with several clients", throughput.has, throughput.draw),
    Plot("cpu", "CPU time of client and server for each call", cpu.has, cpu.draw),
)


def png(plot: Plot, comparison: Comparison) -> bytes:
    """Return a plot as a PNG, light."""
    return _save(plot, comparison, LIGHT, "png")


def svg(plot: Plot, comparison: Comparison, palette: Palette) -> bytes:
    """Return a plot as an SVG, whose letters are drawn: labels are as wide as was reckoned with."""
    return _save(plot, comparison, palette, "svg")


def _save(plot: Plot, comparison: Comparison, palette: Palette, format_: str) -> bytes:
    target = BytesIO()
    with rc_context({**palette.rc(), "svg.fonttype": "path"}):
        plot.draw(comparison, palette).savefig(target, format=format_, dpi=_DPI)
    return target.getvalue()
