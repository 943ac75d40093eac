"""The benchmark's two charts. Lines are made once for each transport and moved as figures come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_qt5agg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nanorpc.bench import Case
from nanorpc.gui.text import size_text, time_text
from nanorpc.plot import colour

_MARKERS = {"limit": "s", "limit-copy": "D", "nanorpc": "o", "uds": "^"}


class Charts(FigureCanvasQTAgg):
    """Round trip against payload size, and the distribution of the times at one size."""

    def __init__(self) -> None:
        self._figure = Figure(layout="constrained")
        super().__init__(self._figure)
        self.setMinimumSize(500, 260)
        self.setAccessibleName("Charts of the benchmark")
        self._by_size, self._spread = self._figure.subplots(1, 2)
        self._lines: dict[str, Any] = {}
        self._steps: dict[str, Any] = {}
        self._size = 0
        _frame(self._by_size, "payload", "Round trip against payload size")
        self._by_size.set_ylabel("round trip, p50")
        self._by_size.set_xscale("log", base=2)
        self._by_size.set_yscale("log")
        self._by_size.xaxis.set_major_formatter(FuncFormatter(lambda size, _: size_text(size)))
        self._by_size.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._by_size.yaxis.set_minor_formatter(NullFormatter())
        _frame(self._spread, "round trip", "Distribution")
        self._spread.set_ylabel("share of calls")
        self._spread.set_xscale("log")
        self._spread.xaxis.set_major_locator(LogLocator(numticks=6))
        self._spread.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: time_text(ns)))
        self._spread.xaxis.set_minor_formatter(NullFormatter())
        self._spread.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.0f} %"))
        self.clear([], [64])

    def clear(self, transports: Sequence[str], sizes: Sequence[int]) -> None:
        """Begin anew, with a line for each transport."""
        for artist in (*self._lines.values(), *self._steps.values()):
            artist.remove()
        self._lines = {name: self._by_size.plot([], [], marker=_MARKERS.get(name, "o"), color=colour(name), label=name)[0] for name in transports}
        self._steps = {name: self._spread.plot([], [], color=colour(name), drawstyle="steps-pre", label=name)[0] for name in transports}
        self._by_size.set_xlim(max(min(sizes), 1) / 1.6, max(*sizes, 2) * 1.6 if len(sizes) > 1 else max(sizes[0], 1) * 1.6)
        self._by_size.set_xticks(sorted({max(size, 1) for size in sizes}))
        self._by_size.set_ylim(50, 1e6)
        self._spread.set_xlim(50, 1e6)
        for axes in (self._by_size, self._spread):
            if transports:
                axes.legend(loc="upper left", fontsize="small", frameon=False)
            elif axes.get_legend():
                axes.get_legend().remove()
        self.draw_idle()

    def show_cases(self, cases: Sequence[Case], size: int) -> None:
        """Move the lines to new figures. The distribution is that of one size."""
        measured = [case for case in cases if case.calls]
        for name, line in self._lines.items():
            of_name = [case for case in measured if case.transport == name]
            line.set_data([max(case.size_bytes, 1) for case in of_name], [case.p50_ns for case in of_name])
        if measured:
            p50 = [case.p50_ns for case in measured]
            self._by_size.set_ylim(min(p50) / 2, max(p50) * 3)
        self._spread.set_title(f"Distribution at {size_text(size)}", fontsize="medium")
        low, high, top = float("inf"), 0.0, 0.0
        for name, line in self._steps.items():
            buckets = next((case.distribution for case in measured if case.transport == name and case.size_bytes == size), [])
            total = sum(count for _, count in buckets) or 1
            shares = [count / total for _, count in buckets]
            line.set_data([upper for upper, _ in buckets], shares)
            # Axes follow all but the rarest calls, which would squeeze the rest.
            common = [upper for (upper, _), share in zip(buckets, shares, strict=True) if share > 1e-3]
            if common:
                low, high, top = min(low, *common), max(high, *common), max(top, *shares)
        if high:
            self._spread.set_xlim(low / 1.5, high * 1.5)
            self._spread.set_ylim(0, top * 1.2)
        self.draw_idle()

    def save(self, path: str) -> None:
        """Write both charts to a picture; the name's ending gives the format."""
        self._figure.savefig(path, dpi=150)


def _frame(axes: Axes, label: str, title: str) -> None:
    axes.set_xlabel(label)
    axes.set_title(title, fontsize="medium")
    axes.grid(True, which="major", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
