from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from pytestqt.qtbot import QtBot
from records import case

from nanorpc.bench import Snapshot
from nanorpc.gui.bench.charts import _outline
from nanorpc.gui.bench.live import LivePlots
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.bench.timeline import Timeline
from nanorpc.gui.plots import Frame, Hover, PlotWidget, Renderer
from nanorpc.gui.theme import DARK, LIGHT
from nanorpc.reports.palette import Series

LIMIT = 60_000  # ms


class Line(Renderer[Sequence[float]]):
    """One line, whose drawings are counted."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.drawn = 0
        self.fails = fails

    def names(self, data: Sequence[float]) -> Sequence[str]:
        return ["nanorpc"]

    def build(self, axes: list[Axes], data: Sequence[float], series: dict[str, Series]) -> list[Any]:
        self.lines = axes[0].plot([], [], color=series["nanorpc"].colour)
        axes[0].set(xlim=(0, 10), ylim=(0, 10))
        return list(self.lines)

    def update(self, data: Sequence[float]) -> list[Hover]:
        self.drawn += 1
        if self.fails:
            raise ValueError("cannot be drawn")
        self.lines[0].set_data(range(len(data)), data)
        return [Hover(self.lines[0].axes, "a", range(len(data)), data, lambda x, y: f"{x:g} is {y:g}")]


@pytest.fixture
def plot(qtbot: QtBot) -> PlotWidget[Sequence[float]]:
    widget: PlotWidget[Sequence[float]] = PlotWidget(Line(), "a line", "nothing yet")
    qtbot.addWidget(widget)
    return widget


def test_hidden_plot_draws_when_it_is_shown(plot: PlotWidget[Sequence[float]], qtbot: QtBot) -> None:
    plot.show_data([1, 2])
    qtbot.wait(200)
    assert isinstance(plot.renderer, Line)
    assert plot.renderer.drawn == 0
    plot.show()
    qtbot.waitUntil(lambda: plot.idle and len(plot.marks) == 1, timeout=LIMIT)
    assert plot.marks[0].text(1) == "a: 1 is 2"


def test_many_changes_are_drawn_at_once(plot: PlotWidget[Sequence[float]], qtbot: QtBot) -> None:
    plot.show()
    start = time.monotonic()
    for i in range(300):
        plot.show_data([i % 10])
        qtbot.wait(2)
    took = time.monotonic() - start
    qtbot.waitUntil(lambda: plot.idle, timeout=LIMIT)
    assert isinstance(plot.renderer, Line)
    assert 2 <= plot.renderer.drawn <= took * 20 + 3
    assert list(plot.marks[0].hover.y) == [9]  # type: ignore[call-overload]


def test_drawing_that_fails_is_told_and_goes_on(qtbot: QtBot) -> None:
    renderer = Line(fails=True)
    widget: PlotWidget[Sequence[float]] = PlotWidget(renderer, "a line")
    qtbot.addWidget(widget)
    widget.show()
    with qtbot.captureExceptions() as caught:
        widget.show_data([1])
        qtbot.waitUntil(lambda: bool(caught), timeout=LIMIT)
    assert "cannot be drawn" in str(caught[0][1])
    renderer.fails = False
    widget.show_data([2])
    qtbot.waitUntil(lambda: bool(widget.marks), timeout=LIMIT)


def test_blitting_shows_what_a_full_drawing_shows() -> None:
    frame = Frame(DARK, 400, 300, 1.5)
    blitted, full = Line(), Line()
    blitted.render([1, 5], frame)
    picture = blitted.render([2, 9, 4], frame)
    assert picture.pixels == full.render([2, 9, 4], frame).pixels
    assert (picture.width, picture.height) == (600, 450)
    assert picture.marks[0].pixels.max() < 400, "points are in pixels of the window"
    assert full.render([2, 9, 4], Frame(LIGHT, 400, 300, 1.5)).pixels != picture.pixels


def test_steps_of_a_distribution_do_not_reach_over_empty_buckets() -> None:
    x, y = _outline([100, 104, 1000], [0.5, 0.3, 0.2])
    assert [height for at, height in zip(x, y, strict=True) if 104 < at < 1000] == [0.0]
    assert y[-1] == 0.0
    assert _outline([], []) == ([], [])


def snapshot(i: int) -> Snapshot:
    """The i-th look at a benchmark in which calls go on coming."""
    cases = [replace(case(name, 64, [1000]), calls=100 * (i + 1)) for name in ("limit", "nanorpc", "uds")]
    for one in cases:
        one.distribution[0][1] = 99 * (i + 1)
    return Snapshot("running", "", 0.5, i * 0.125, 1.0, "", cases)


def test_timeline_shows_what_is_new() -> None:
    timeline = Timeline()
    timeline.add(snapshot(0))
    timeline.add(snapshot(0))
    timeline.add(snapshot(1))
    points = timeline.points(("nanorpc", 64, 1, 0.0))
    assert [(point.at_s, point.p50_ns, point.p99_ns) for point in points] == [(0.0, 1000, 1000), (0.125, 1000, 1000)]
    for i in range(2, 5000):
        timeline.add(snapshot(i))
    points = timeline.points(("nanorpc", 64, 1, 0.0))
    assert len(points) <= 1000
    assert (points[0].at_s, points[-1].at_s) == (0.0, 4999 * 0.125)
    assert list(points) == sorted(points, key=lambda point: point.at_s)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_long_runs_do_not_grow_memory(qtbot: QtBot) -> None:
    """As many looks as a benchmark of an hour and a half takes are added, and some hundreds of them drawn."""
    plots = LivePlots()
    qtbot.addWidget(plots)
    for plot in (plots.over_time, plots.spread):
        plot._pause.setInterval(1)  # else it would wait most of the time
    plots.resize(700, 400)
    plots.show()
    plots.begin(Plan(("limit", "nanorpc", "uds"), (64,)))

    def look(first: int, last: int, step: int) -> None:
        for i in range(first, last, step):
            for j in range(i, i + step):
                plots.add(snapshot(j))
            plots.show_snapshot(snapshot(i + step))
            qtbot.waitUntil(lambda: plots.over_time.idle and plots.spread.idle, timeout=LIMIT)

    look(0, 8000, 200)  # until all lines have their most points
    gc.collect()
    before = resident()
    look(8000, 44_000, 200)
    gc.collect()
    grown = (resident() - before) / (1 << 20)
    print(f"\n36,000 looks and 180 drawings: {grown:+.1f} MiB")
    assert grown < 16
