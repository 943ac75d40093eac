from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QImage
from PyQt5.QtSvg import QSvgRenderer
from PyQt5.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot
from records import case, record

from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.results.ratios import rows
from nanorpc.gui.results_screen import ResultsScreen
from nanorpc.gui.window import Window
from nanorpc.reports.axes import percentiles

LIMIT = 120_000  # ms


@pytest.fixture
def screen(window: Window) -> ResultsScreen:
    window.show_screen("results")
    return window.results


def drawn(screen: ResultsScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: screen.percentiles.idle and screen.against_size.idle and bool(screen.percentiles.marks), timeout=LIMIT)


def test_without_results_it_says_what_to_do(screen: ResultsScreen) -> None:
    assert screen._stack.currentIndex() == 0
    screen.export()  # asks for no file
    assert screen.view is None


def test_real_run_is_shown_when_it_ends(window: Window, screen: ResultsScreen, qtbot: QtBot) -> None:
    window.benchmark.options.show_plan(Plan(("limit", "nanorpc", "uds"), (64, 4096), duration_ms=40, rounds=2))
    with qtbot.waitSignal(window.benchmark.finished, timeout=LIMIT):
        window.benchmark.primary()
    drawn(screen, qtbot)
    run = screen.run
    assert run is not None
    assert len(screen.model.rows) == 6
    by_name = {row.case.transport: row for row in screen.model.rows if row.case.size_bytes == 64}
    pairs = list(zip(by_name["uds"].case.round_p50_ns, by_name["nanorpc"].case.round_p50_ns, strict=True))
    ratio = by_name["nanorpc"].to_uds
    assert ratio is not None
    assert (ratio.low, ratio.high) == (min(a / b for a, b in pairs), max(a / b for a, b in pairs))
    points = {
        (marks.hover.label, float(x)): float(y)
        for marks in screen.against_size.marks
        if "p50" in marks.text(0)
        for x, y in zip(marks.hover.x, marks.hover.y, strict=True)
    }
    for row in screen.model.rows:
        assert points[row.case.transport, row.case.size_bytes] == row.case.p50_ns
    qtbot.waitUntil(lambda: screen.run is not None and screen.run.id == 1, timeout=LIMIT)


def test_ratios_are_of_the_rounds() -> None:
    by_key = {(row.case.transport, row.case.size_bytes): row for row in rows(record(), record(factor=0.5))}
    ratio = by_key["nanorpc", 64].to_uds
    assert ratio is not None
    assert [ratio.value, ratio.low, ratio.high] == [20, 20, 25]
    assert by_key["uds", 64].to_uds is None
    assert by_key["limit", 64].to_floor is None
    floor = by_key["nanorpc", 64].to_floor
    assert floor is not None
    assert floor.value == 4
    assert by_key["nanorpc", 4096].to_baseline == 2
    assert by_key["uds", 4096].to_baseline == 1


def test_percentiles_are_at_one_over_one_minus_p() -> None:
    x, y = percentiles(case("uds", 64, [1000]).distribution)
    assert x == [1.0, pytest.approx(100), 200]  # 99 of 100 calls are at the first time
    assert y == [1000, 1000, 10_000]


def test_hover_shows_values(screen: ResultsScreen, qtbot: QtBot) -> None:
    screen.show_run(record())
    drawn(screen, qtbot)
    marks = next(marks for marks in screen.against_size.marks if marks.hover.label == "uds" and "p99" in marks.text(1))
    with qtbot.waitSignal(screen.against_size.hovered, timeout=LIMIT) as hovered:
        x, y = marks.pixels[1]
        qtbot.mouseMove(screen.against_size, QPoint(round(x), round(y)))
    assert hovered.args == ["uds: 4 KiB, p99 80 µs"]
    # The same without a mouse.
    screen.percentiles.setFocus()
    qtbot.keyClick(screen.percentiles, Qt.Key_Right)
    first = screen.percentiles.accessibleDescription()
    qtbot.keyClick(screen.percentiles, Qt.Key_Down)
    assert first.startswith("limit: ")
    assert screen.percentiles.accessibleDescription().startswith("nanorpc: ")


def test_pinned_run_stays_beside_the_next(screen: ResultsScreen, qtbot: QtBot) -> None:
    first = record(note="before")
    screen.show_run(first)
    qtbot.mouseClick(screen.pin_button, Qt.LeftButton)
    screen.show_run(record(factor=2))
    drawn(screen, qtbot)
    qtbot.waitUntil(lambda: "nanorpc (baseline)" in {marks.hover.label for marks in screen.percentiles.marks}, timeout=LIMIT)
    assert "before" in screen.compared.text()
    model = screen.table.model()
    cells = {model.index(row, 0).data(): model.index(row, model.columnCount() - 1).data() for row in range(3)}
    assert cells["nanorpc"] == "+100.0 %"
    assert cells["uds"] == "+0.0 %"
    screen.unpin_button.click()
    assert screen.baseline is None


def test_exports(screen: ResultsScreen, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.show_run(replace(record(note="<b>bold</b> & more"), id=7))
    screen.set_baseline(record(factor=2))

    def export(name: str, chosen: str) -> Path:
        path = tmp_path / name
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(path), next(f for f in args[3].split(";;") if chosen in f)))
        with qtbot.waitSignal(screen.message, timeout=LIMIT, check_params_cb=lambda text: text.startswith(("Wrote", "Not"))) as said:
            qtbot.keyClick(screen.window(), Qt.Key_E, Qt.ControlModifier)
        written = Path(said.args[0].removeprefix("Wrote "))
        assert written.parent == tmp_path, said.args
        return written

    lines = list(csv.DictReader(export("table.csv", "*.csv").read_text().splitlines()))
    assert [(line["transport"], float(line["p50_ns"]), line["to_uds"]) for line in lines[:2]] == [("limit", 250, "90.0"), ("nanorpc", 1000, "20.0")]
    everything = json.loads(export("all", "*.json").read_text())  # the chosen ending is added
    assert everything["machine"]["kernel"] == "Linux 6.1"
    assert everything["settings"]["rounds"] == 3
    assert everything["cases"][0]["distribution"] == [[250, 99], [2500, 1]]
    picture = QImage(str(export("plots.png", "*.png")))
    assert picture.width() > 2000
    assert len({picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)}) > 10
    assert QSvgRenderer(str(export("plots.svg", "*.svg"))).isValid()
    page = export("report.html", "*.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 6  # light and dark
    assert not re.search(r'(src|href)="(?!data:)', page), "it needs another file"
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
    assert "20  (20 – 25)" in page
    assert "-50.0 %" in page
    HTMLParser().feed(page)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: ("", ""))
    screen.export()  # cancelled: nothing is written
    assert len(list(tmp_path.glob("*.*"))) == 5 + len(list(tmp_path.glob("settings.ini*")))


def test_export_that_fails_is_told(screen: ResultsScreen, qtbot: QtBot, tmp_path: Path) -> None:
    screen.show_run(record())
    with qtbot.waitSignal(screen.message, timeout=LIMIT, check_params_cb=lambda text: text.startswith("Not exported")):
        screen.write(tmp_path / "no such folder" / "out.csv")
