from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings, QTimer
from pytestqt.qtbot import QtBot

from nanorpc.gui.benchmark_screen import BenchmarkScreen
from nanorpc.gui.window import Window

LIMIT = 120_000  # ms; generous, as machines are shared


@pytest.fixture
def tab(qtbot: QtBot, directory: Path, settings: QSettings) -> Iterator[BenchmarkScreen]:
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    yield window.benchmark
    window.close()


def choose(tab: BenchmarkScreen, transports: set[str], sizes: str, duration: float, rounds: int) -> None:
    for name, box in tab.transports.items():
        box.setChecked(name in transports)
    tab.sizes.setText(sizes)
    tab.duration.setValue(duration)
    tab.rounds.setValue(rounds)


def test_run_shows_measured_figures(tab: BenchmarkScreen, qtbot: QtBot, tmp_path: Path) -> None:
    choose(tab, {"nanorpc", "uds"}, "64, 4 KiB", 0.05, 2)
    tab.start_button.click()
    assert tab.running
    assert not tab.start_button.isEnabled()
    qtbot.waitUntil(lambda: not tab.running, timeout=LIMIT)
    assert tab.progress.value() == tab.progress.maximum()
    assert tab.table.rowCount() == 4
    rows = [[tab.table.item(row, column).text() for column in range(tab.table.columnCount())] for row in range(4)]
    assert {(row[0], row[1]) for row in rows} == {("nanorpc", "64 B"), ("uds", "64 B"), ("nanorpc", "4 KiB"), ("uds", "4 KiB")}
    assert all(row[-1] == "0" for row in rows), "wrong replies"

    def export(name: str) -> Path:
        path = tmp_path / name
        with qtbot.waitSignal(tab.message, timeout=LIMIT, check_params_cb=lambda text: text == f"Wrote {path}"):
            tab.write(path)
        return path

    export("out.json")
    cases = [json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines()]
    assert all(case["calls"] > 0 and 0 < case["p50_ns"] <= case["p99_ns"] for case in cases)
    export("out.csv")
    with (tmp_path / "out.csv").open() as file:
        assert [float(row["p50_ns"]) for row in csv.DictReader(file)] == [case["p50_ns"] for case in cases]
    assert export("out.png").read_bytes().startswith(b"\x89PNG")
    tab.write(tmp_path / "no such folder" / "out.csv")
    qtbot.waitUntil(lambda: "Not exported" in tab.error.text(), timeout=LIMIT)

    qtbot.waitUntil(lambda: tab.charts.idle, timeout=LIMIT)
    for case in cases:
        assert (case["size_bytes"], case["p50_ns"]) in tab.charts.drawn_p50[case["transport"]]


def test_stop_keeps_what_was_measured(tab: BenchmarkScreen, qtbot: QtBot) -> None:
    choose(tab, {"nanorpc"}, "64", 0.2, 100)
    tab.start()
    qtbot.waitUntil(lambda: tab.table.rowCount() == 1 and tab.table.item(0, 9).text() not in ("", "0"), timeout=LIMIT)
    tab.stop_button.click()
    qtbot.waitUntil(lambda: not tab.running, timeout=LIMIT)
    assert "Stopped" in tab.status.text()
    assert tab.export_buttons["csv"].isEnabled()
    assert tab.start_button.isEnabled()


@pytest.mark.parametrize(("transports", "sizes", "text"), [({"uds"}, "64, big", "big"), (set(), "64", "transport"), ({"uds"}, "65 MiB", "too large")])
def test_bad_input_is_explained(tab: BenchmarkScreen, transports: set[str], sizes: str, text: str) -> None:
    choose(tab, transports, sizes, 0.1, 1)
    tab.start()
    assert not tab.running
    assert text in tab.error.text()
    assert tab.error.isVisible()


def test_event_loop_goes_on_during_a_run(tab: BenchmarkScreen, qtbot: QtBot) -> None:
    """No slot of ours holds the event loop for long while the benchmark runs and draws.

    What other processes take of the machine must not count: the time that this thread itself works between two ticks of a timer is measured.
    """
    gaps: list[int] = []
    last = time.thread_time_ns()

    def tick() -> None:
        nonlocal last
        now = time.thread_time_ns()
        gaps.append(now - last)
        last = now

    choose(tab, {"limit", "nanorpc", "uds"}, "64, 4 KiB, 64 KiB, 1 MiB", 0.2, 2)
    heartbeat = QTimer()
    heartbeat.timeout.connect(tick)
    heartbeat.start(5)
    tab.start()
    qtbot.waitUntil(lambda: not tab.running, timeout=LIMIT)
    heartbeat.stop()
    gaps.sort()
    assert len(gaps) > 100
    longest = [round(gap / 1e6) for gap in gaps[-5:]]
    assert longest[-2] < 100, f"the longest times that the loop was held, in ms: {longest}"


def test_closing_the_window_ends_the_run(qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    choose(window.benchmark, {"nanorpc"}, "64", 1, 100)
    window.benchmark.start()
    qtbot.wait(300)
    window.close()
    assert not window.benchmark.running
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    assert not [pid for pid in children if b"nanorpc._peer" in Path(f"/proc/{pid}/cmdline").read_bytes()]
