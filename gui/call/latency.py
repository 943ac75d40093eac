"""How long calls took."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nanorpc.units import time_text

_BINS = 60
_PERCENTILES = (50, 90, 99, 99.9)


def times_text(times_ns: Sequence[int]) -> str:
    """Return the time of a call, or of many what they have in common."""
    if len(times_ns) == 1:
        return time_text(times_ns[0])
    p50, p99 = np.percentile(np.asarray(times_ns), (50, 99))
    return f"{len(times_ns):,} calls: p50 {time_text(p50)}, p99 {time_text(p99)}, slowest {time_text(max(times_ns))}"


def histogram(times_ns: Sequence[int]) -> tuple[list[float], list[int]]:
    """Return the edges of bins, equally wide on a logarithmic axis, and how many times are in each."""
    times = np.asarray(times_ns, np.float64)
    low, high = math.log10(max(times.min(), 1)), math.log10(max(times.max(), 1))
    if high - low < 0.02:  # all in one
        low, high = low - 0.05, high + 0.05
    edges = np.logspace(low, high, _BINS + 1)
    edges[0], edges[-1] = min(edges[0], times.min()), max(edges[-1], times.max())
    counts, _ = np.histogram(times, edges)
    return edges.tolist(), counts.tolist()


def figures(times_ns: Sequence[int]) -> list[tuple[str, str]]:
    """Return the names and values of what is said of times."""
    times = np.asarray(times_ns)
    said = [("fastest", time_text(int(times.min())))]
    said += [(f"p{percent:g}", time_text(value)) for percent, value in zip(_PERCENTILES, np.percentile(times, _PERCENTILES), strict=True)]
    return [*said, ("slowest", time_text(int(times.max()))), ("mean", time_text(times.mean())), ("first", time_text(times_ns[0]))]


from PyQt5.QtWidgets import QWidget


class Latency(QWidget):
    def show_times(self, times_ns):
        self.times = times_ns
