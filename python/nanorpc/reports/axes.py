"""Axes of times, sizes and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from nanorpc.units import calls_text, size_text, time_text


def time_axis(axis: Any) -> None:
    """Make an axis one of times in ns, on a logarithmic scale."""
    _log_axis(axis)
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))


def size_axis(axis: Any, sizes: Sequence[int]) -> None:
    """Make an axis one of payload sizes, on a logarithmic scale. No size is drawn as one byte."""
    ticks = sorted({max(size, 1) for size in sizes}) or [1]
    _log_axis(axis)
    axis.axes.set(**{f"{axis.axis_name}lim": (ticks[0] / 1.6, ticks[-1] * 1.6)})
    axis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // 7)]))
    axis.set_major_formatter(FuncFormatter(lambda size, _: size_text(size)))
    axis.axes.set_xlabel("payload")


def calls_axis(axis: Any) -> None:
    """Make an axis one of calls a second, on a logarithmic scale."""
    _log_axis(axis)
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda calls, _: calls_text(calls)))
    axis.set_label_text("calls a second")


def percentile_axis(axis: Any) -> None:
    """Make an axis one of percentiles as HdrHistogram plots them: 1/(1-p), logarithmic, so that each nine has the same room."""
    _log_axis(axis)
    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda x, _: percentile_text(x)))
    axis.set_label_text("percentile")


def _log_axis(axis: Any) -> None:
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_minor_locator(NullLocator())


def decades(values: Sequence[float], otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return limits around values, on halves of decades: they change seldom while figures come in."""
    above = [value for value in values if value > 0]
    if not above:
        return otherwise
    low, high = min(above), max(above)
    return 10 ** (math.floor(math.log10(low) * 2 - 0.2) / 2), 10 ** (math.ceil(math.log10(high) * 2 + 0.3) / 2)


def percentiles(distribution: Sequence[Sequence[int]]) -> tuple[list[float], list[float]]:
    """Return 1/(1-p) and the time at p, at the end of each bucket of a distribution; the last is the slowest call.

    :param distribution: pairs, ascending: a time in ns, and how many calls took at most that and longer than the pair before.
    """
    total = sum(count for _, count in distribution)
    x, y, below = [1.0], [float(distribution[0][0])] if distribution else [1.0], 0
    for upper, count in distribution:
        below += count
        x.append(total / (total - below) if below < total else 2.0 * total)
        y.append(float(upper))
    return x, y


def percentile_text(x: float) -> str:
    """Return the percentile of 1/(1-p)."""
    return f"{(1 - 1 / x) * 100:.6g} %"
