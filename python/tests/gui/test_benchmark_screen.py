from __future__ import annotations

from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from nanorpc.gui.bench.plan import PRESETS, Plan
from nanorpc.gui.bench.preflight import busy, cpu_time
from nanorpc.gui.benchmark_screen import BenchmarkScreen
from nanorpc.gui.record import Record
from nanorpc.gui.window import Window

LIMIT = 120_000  # ms; generous, as machines are shared


@pytest.fixture
def screen(window: Window) -> BenchmarkScreen:
    window.show_screen("benchmark")
    return window.benchmark


def run(screen: BenchmarkScreen, qtbot: QtBot, plan: Plan) -> Record:
    """Run a plan as a user would, and return what came of it."""
    screen.options.show_plan(plan)
    with qtbot.waitSignal(screen.finished, timeout=LIMIT) as finished:
        qtbot.mouseClick(screen.options.start_button, Qt.LeftButton)
        assert screen.running, screen.options.error.text()
        assert not screen.options.start_button.isEnabled()
    assert not screen.running
    record: Record = finished.args[0]
    return record


def test_run_shows_measured_figures(screen: BenchmarkScreen, qtbot: QtBot) -> None:
    record = run(screen, qtbot, Plan(("nanorpc", "nanorpc-none", "uds"), (64, 4096), duration_ms=150, rounds=2, warmup_ms=10))
    assert screen.progress.value() == screen.progress.maximum()
    assert "Done" in screen.status.text()
    assert record.state == "done"
    cases = {(case.transport, case.size_bytes): case for case in record.cases}
    assert set(cases) == {(name, size) for name in ("nanorpc", "nanorpc-none", "uds") for size in (64, 4096)}
    assert all(case.calls > 0 and case.errors == 0 and 0 < case.p50_ns <= case.p99_ns and len(case.round_p50_ns) == 2 for case in record.cases)
    shown = [[screen.table.model().index(row, column).data() for column in range(2)] for row in range(screen.table.model().rowCount())]
    assert {(row[0], row[1]) for row in shown} == {(name, size) for name in ("nanorpc", "nanorpc-none", "uds") for size in ("64 B", "4 KiB")}

    # What is drawn is what was measured, at the size that is chosen.
    screen.live.size_box.setCurrentText("4 KiB")
    qtbot.waitUntil(lambda: screen.live.over_time.idle and screen.live.spread.idle, timeout=LIMIT)
    rates = {marks.hover.label: marks.text(0) for marks in screen.live.spread.marks if "calls/s" in marks.text(0)}
    assert rates["uds"] == f"uds: {cases['uds', 4096].calls_per_s:,.0f} calls/s"
    over_time = [marks for marks in screen.live.over_time.marks if marks.hover.label == "uds" and len(marks.pixels)]
    assert over_time
    assert "p50" in over_time[0].text(0)


def test_sweeps_loads_and_keeps_a_rate(screen: BenchmarkScreen, qtbot: QtBot) -> None:
    record = run(screen, qtbot, Plan(("nanorpc", "uds"), (64,), (1, 2), (500.0,), duration_ms=200, rounds=1))
    assert {(case.inflight, case.rate) for case in record.cases} == {(1, 500.0), (2, 500.0)}
    assert record.loads == [(1, 500.0), (2, 500.0)]
    assert all(0 < case.calls_per_s < 600 for case in record.cases)  # no more than were due
    assert screen.live.load_box.count() == 2


def test_python_contenders_stand_beside_the_others(screen: BenchmarkScreen, qtbot: QtBot) -> None:
    record = run(screen, qtbot, Plan(("uds", "py nanorpc", "py uds"), (64,), duration_ms=50, rounds=2))
    cases = {case.transport: case for case in record.cases}
    assert set(cases) == {"uds", "py nanorpc", "py uds"}
    for case in cases.values():
        assert case.errors == 0
        assert len(case.round_p50_ns) == 2
        assert sum(count for _, count in case.distribution) == case.calls > 0


@pytest.mark.parametrize("transport", ["nanorpc", "py nanorpc"])
def test_escape_keeps_what_was_measured(window: Window, screen: BenchmarkScreen, qtbot: QtBot, transport: str) -> None:
    screen.options.show_plan(Plan((transport,), (64,), duration_ms=300, rounds=1000))
    with qtbot.waitSignal(screen.finished, timeout=LIMIT) as finished:
        qtbot.keyClick(window, Qt.Key_R, Qt.ControlModifier)
        assert screen.running
        qtbot.waitUntil(lambda: any(case.calls for case in screen.model.cases), timeout=LIMIT)
        qtbot.keyClick(window, Qt.Key_Escape)
    assert finished.args[0].state == "stopped"
    assert finished.args[0].cases[0].calls > 0
    assert "Stopped" in screen.status.text()
    assert screen.options.start_button.isEnabled()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda o: o.sizes.setText("64, big"), "big"),
        (lambda o: o.sizes.setText("65 MiB"), "too large"),
        (lambda o: o.transports.choose([]), "transport"),
        (lambda o: o.inflight.setText("some"), "calls in flight"),
        (lambda o: o.inflight.setText("5000"), "5000 calls in flight"),
        (lambda o: (o.loop.setCurrentIndex(1), o.rates.setText("-5")), "above 0"),
        (lambda o: (o.loop.setCurrentIndex(1), o.rates.setText("1e12")), "calls a second: use up to"),
    ],
    ids=range(7),
)
def test_bad_input_is_explained(screen: BenchmarkScreen, change: object, text: str) -> None:
    assert callable(change)
    change(screen.options)
    screen.primary()
    assert not screen.running
    assert text in screen.options.error.text()
    assert screen.options.error.isVisible()


def test_presets(screen: BenchmarkScreen, qtbot: QtBot) -> None:
    options = screen.options
    for name, plan in PRESETS.items():
        options.preset.setCurrentText(name)
        options.preset.activated[str].emit(name)
        assert options.plan() == plan
        assert options.preset.currentText() == name
        assert "about" in options.estimate.text()
    options.rounds.setValue(7)
    assert options.preset.currentText() == "Own settings"
    assert 8 <= PRESETS["Quick 10 s"].seconds() <= 11


def test_settings_are_remembered(qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    plan = Plan(("limit", "py uds"), (1, 1000), (3,), (123.5,), duration_ms=40, rounds=9, warmup_ms=0, spin="none", pin=True)
    for expected in (None, plan):
        window = Window(str(directory), settings)
        qtbot.addWidget(window)
        if expected:
            assert window.benchmark.options.plan() == expected
        window.benchmark.options.show_plan(plan)
        window.close()


def test_preflight_says_what_spoils_figures(screen: BenchmarkScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: bool(screen.preflight.findings), timeout=LIMIT)
    assert {"CPUs", "shared memory", "load", "clock"} == {finding.check for finding in screen.preflight.findings}
    assert screen.preflight.text.text()[0] in "✓⚠✗"
    assert busy((0, 0), (90, 100)).verdict.value == "warning"
    assert "90 %" in busy((0, 0), (90, 100)).found
    assert busy((0, 0), (5, 100)).verdict.value == "ok"
    assert cpu_time("cpu  100 2 3 40 5 6 7 8 0 0\ncpu0 …", own=0.5) == (126 - 50, 171)


def test_closing_the_window_ends_the_run(qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    window.benchmark.options.show_plan(Plan(("nanorpc",), (64,), duration_ms=1000, rounds=100))
    window.benchmark.primary()
    qtbot.wait(300)
    window.close()
    assert not window.benchmark.running
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    assert not [pid for pid in children if b"nanorpc._peer" in Path(f"/proc/{pid}/cmdline").read_bytes()]
