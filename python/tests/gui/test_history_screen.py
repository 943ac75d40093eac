from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PyQt5.QtCore import QItemSelectionModel, QSettings, Qt
from PyQt5.QtWidgets import QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot
from records import MACHINE, record

from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.history.model import NOTE
from nanorpc.gui.history.store import Store, data_file
from nanorpc.gui.history.trend import labels_of, places_of, trend_of
from nanorpc.gui.history_screen import HistoryScreen
from nanorpc.gui.window import Window

LIMIT = 120_000  # ms


@pytest.fixture
def screen(window: Window) -> HistoryScreen:
    return window.history


def fill(screen: HistoryScreen, window: Window, qtbot: QtBot) -> None:
    """Keep three runs, the last of which is the newest, and show them."""
    for i, factor in enumerate((1, 2, 4)):
        with qtbot.waitSignal(screen.kept, timeout=LIMIT):
            screen.keep(record(f"2025-03-0{i + 1}T10:00:00+00:00", factor, note=f"note {i}"))
    window.show_screen("history")
    qtbot.waitUntil(lambda: screen.model.rowCount() == 3, timeout=LIMIT)


def select(screen: HistoryScreen, *rows: int) -> None:
    screen.table.clearSelection()
    for row in rows:
        index = screen.proxy.index(row, 0)
        screen.table.selectionModel().select(index, QItemSelectionModel.Select | QItemSelectionModel.Rows)  # type: ignore[arg-type]


def test_empty_history_says_what_to_do(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    window.show_screen("history")
    qtbot.waitUntil(lambda: screen._loaded, timeout=LIMIT)
    assert screen.empty.isVisible()
    assert "Ctrl+R" in screen.empty.text()


def test_real_run_is_kept(window: Window, qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    window.benchmark.options.show_plan(Plan(("nanorpc", "uds"), (64,), duration_ms=30, rounds=2))
    with qtbot.waitSignal(window.history.kept, timeout=LIMIT):
        window.benchmark.primary()
    run = window.results.run
    assert run is not None
    window.close()
    other = Window(str(directory), settings)
    qtbot.addWidget(other)
    other.show()
    other.show_screen("history")
    qtbot.waitUntil(lambda: other.history.model.rowCount() == 1, timeout=LIMIT)
    select(other.history, 0)
    with qtbot.waitSignal(other.history.opened, timeout=LIMIT):
        qtbot.mouseClick(other.history.open_button, Qt.LeftButton)
    assert other.current is other.results
    assert other.results.run == run
    assert set(run.machine) == set(MACHINE)
    other.close()


def test_a_run_kept_while_the_history_is_there_is_listed_as_it_is_read_again(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    window.show_screen("history")
    qtbot.waitUntil(lambda: screen._loaded, timeout=LIMIT)
    assert any(case.distribution for case in record().cases)
    fill(screen, window, qtbot)
    listed = screen.model.records
    assert not any(case.distribution for run in listed for case in run.cases)  # most of what a run takes; the data base has them
    screen.refresh()
    qtbot.waitUntil(lambda: screen.model.records[0] is not listed[0], timeout=LIMIT)
    assert [replace(run, cases=tuple(run.cases)) for run in screen.model.records] == [replace(run, cases=tuple(run.cases)) for run in listed]


def test_notes_are_edited_in_place(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    fill(screen, window, qtbot)
    select(screen, 1)
    qtbot.mouseClick(screen.note_button, Qt.LeftButton)
    editor = screen.table.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    with qtbot.waitSignal(screen.message, timeout=LIMIT):
        qtbot.keyClicks(editor, "after the change")
        qtbot.keyClick(editor, Qt.Key_Return)
    with qtbot.waitSignal(screen.model.modelReset, timeout=LIMIT):
        screen.refresh()
    assert screen.model.index(1, NOTE).data() == "after the change"


def test_two_runs_are_compared(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    fill(screen, window, qtbot)
    select(screen, 0, 2)
    assert not screen.open_button.isEnabled()
    with qtbot.waitSignal(screen.compared, timeout=LIMIT):
        qtbot.mouseClick(screen.compare_button, Qt.LeftButton)
    assert window.current is window.results
    assert window.results.run is not None
    assert window.results.baseline is not None
    assert (window.results.run.note, window.results.baseline.note) == ("note 2", "note 0")
    assert window.results.run.cases[0].distribution, "the whole run is loaded"


def test_filter_and_sort(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    fill(screen, window, qtbot)
    screen.filter.setText("note 1")
    assert screen.proxy.rowCount() == 1
    screen.filter.setText("")
    column = next(i for i in range(screen.proxy.columnCount()) if screen.proxy.headerData(i, Qt.Horizontal) == "nanorpc p50")
    screen.table.sortByColumn(column, Qt.AscendingOrder)
    assert [screen.proxy.index(row, column).data() for row in range(3)] == ["1 µs", "2 µs", "4 µs"]
    screen.table.sortByColumn(column, Qt.DescendingOrder)
    assert screen.proxy.index(0, column).data() == "4 µs"


def test_delete_asks_and_is_for_good(window: Window, screen: HistoryScreen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(screen, window, qtbot)
    select(screen, 0)
    with qtbot.waitSignal(screen.opened, timeout=LIMIT):
        screen.primary()
    window.show_screen("history")
    select(screen, 0, 1)
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.Cancel)
    qtbot.keyClick(screen, Qt.Key_Delete)
    assert screen.model.rowCount() == 3
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.Yes)
    with qtbot.waitSignal(screen.deleted, timeout=LIMIT):
        qtbot.keyClick(screen, Qt.Key_Delete)
    assert screen.model.rowCount() == 1
    assert window.results.run is None, "a run that is gone is shown"
    with qtbot.waitSignal(screen.model.modelReset, timeout=LIMIT):
        screen.refresh()
    assert [run.note for run in screen.model.records] == ["note 0"]


def test_trend_goes_through_all_runs(window: Window, screen: HistoryScreen, qtbot: QtBot) -> None:
    fill(screen, window, qtbot)
    qtbot.waitUntil(lambda: screen.trend.idle and bool(screen.trend.marks), timeout=LIMIT)
    marks = next(marks for marks in screen.trend.marks if marks.hover.label == "nanorpc")
    assert list(marks.hover.y) == [1000, 2000, 4000]
    assert list(marks.hover.x) == [0, 0.5, 1], "a day after a day"
    assert "note 2: p50 4 µs" in marks.text(2)
    select(screen, 2)
    qtbot.waitUntil(lambda: screen.trend.data is not None and screen.trend.data.chosen == {1}, timeout=LIMIT)
    assert trend_of([], []) is None


def test_trend_is_readable_with_runs_minutes_and_months_apart() -> None:
    runs = [record(started, note=started) for started in ("2024-11-30T10:00:00+00:00", "2025-03-04T10:00:00+00:00", "2025-03-04T10:02:00+00:00")]
    view = trend_of(runs[::-1], [])
    assert view is not None
    places, moved = view.places
    assert moved
    assert places[0] == 0
    assert 0.01 < places[2] - places[1] < 0.05, "two minutes, three months after the first"
    assert labels_of(view.times, places, 8) == [(0, "10:00\n30 Nov 2024"), (places[1], "10:00\n04 Mar 2025")]
    minutes = [datetime(2025, 3, 4, 23, 58 + i) if i < 2 else datetime(2025, 3, 5, 0, i - 2) for i in range(4)]
    places, moved = places_of([time.timestamp() for time in minutes])
    assert not moved
    assert places == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [text for _, text in labels_of(minutes, places, 3)] == ["23:58\n04 Mar 2025", "23:59", "00:00\n05 Mar", "00:01"]
    assert [text for _, text in labels_of(minutes, places, 2)] == ["23:58\n04 Mar 2025", "00:00\n05 Mar"]
    assert places_of([5.0]) == ([0.5], False)
    assert places_of([5.0, 5.0, 5.0]) == ([0, 0.5, 1], True)


@pytest.mark.parametrize("content", [b"this is no data base, whatever its name", None], ids=["garbage", "folder"])
def test_broken_history_does_not_keep_from_measuring(qtbot: QtBot, directory: Path, settings: QSettings, content: bytes | None) -> None:
    path = data_file()
    path.parent.mkdir(parents=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content * 100)
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    window.show_screen("history")
    qtbot.waitUntil(lambda: str(path) in window.history.empty.text(), timeout=LIMIT)
    window.benchmark.options.show_plan(Plan(("uds",), (64,), duration_ms=20, rounds=1))
    with qtbot.waitSignal(window.benchmark.finished, timeout=LIMIT):
        window.benchmark.primary()
    assert window.results.run is not None
    window.close()
    if content is not None:
        assert path.read_bytes().startswith(content), "a file that is not ours was written to"


def test_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    store = Store(path)
    kept = store.add(record())
    assert store.load(kept.id or 0) == kept == replace(record(), id=1)
    store.delete([1])
    with pytest.raises(KeyError):
        store.load(1)
    store.close()
    with sqlite3.connect(path) as base:
        assert base.execute("SELECT count(*) FROM cases").fetchone() == (0,)
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="newer"):
        Store(path)
