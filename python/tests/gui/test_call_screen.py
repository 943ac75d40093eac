"""The call's screen, driven as a user would, with servers in processes of their own."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, QSettings, Qt, QTimer
from PyQt5.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QSplitterHandle,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from nanorpc.gui.call.fields import Field, TextField
from nanorpc.gui.call.history import LONGEST_KEPT, MOST, Entry
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.call.store import CallStore, calls_file
from nanorpc.gui.call_screen import CallScreen
from nanorpc.gui.servers_screen import ServersScreen
from nanorpc.gui.window import Window
from nanorpc.introspection import MethodInfo

LIMIT = 60_000  # ms
ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "subprocess.Popen[str]"]
Show = Callable[[CallScreen], CallScreen]


@pytest.fixture
def screen(show_screen: Show, directory: Path) -> CallScreen:
    return show_screen(CallScreen(str(directory)))


@pytest.fixture
def typed(demo_directory: Path, show_screen: Show, qtbot: QtBot) -> CallScreen:
    """The screen with the service of types chosen."""
    screen = show_screen(CallScreen(str(demo_directory)))
    qtbot.waitUntil(lambda: screen.target.method.findText("everything") >= 0, timeout=LIMIT)
    return screen


@pytest.fixture
def go(start: Start, screen: CallScreen, qtbot: QtBot) -> CallScreen:
    start(str(ROOT / "server"), "-service", "go")
    screen.refresh()
    qtbot.waitUntil(lambda: screen.target.method.findText("sha256") >= 0, timeout=LIMIT)
    return screen


def field(screen: CallScreen, name: str) -> Field:
    return next(field for field in screen.payload.form.fields if field.parameter.name == name)


def choose(screen: CallScreen, qtbot: QtBot, method: str) -> None:
    screen.target.method.setEditText(method)
    qtbot.waitUntil(lambda: screen.target.info.name == method, timeout=LIMIT)


def send(screen: CallScreen, qtbot: QtBot) -> None:
    qtbot.mouseClick(screen.send_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: screen.send_button.isEnabled(), timeout=LIMIT)


def shown_tabs(screen: CallScreen) -> list[str]:
    return [screen.result.tabText(i) for i in range(screen.result.count()) if screen.result.isTabVisible(i)]


def test_no_servers(screen: CallScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: "No service is running" in screen.target.about.text(), timeout=LIMIT)
    screen.send_button.click()
    assert "Choose a service" in screen.summary.text()
    screen.target.service.setEditText("nobody")
    screen.target.method.setEditText("echo")
    send(screen, qtbot)
    assert "ServerNotFound" in screen.summary.text()
    assert screen.result.currentWidget() is screen.result.failure
    assert "Servers says how to start one" in screen.result.failure.advice.text()


def test_a_form_is_made_from_the_signature(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "everything")
    kinds = {one.parameter.name: type(one.editor) for one in typed.payload.form.fields}
    assert kinds == {
        **dict.fromkeys(["count", "ratio", "data", "limit"], QLineEdit),
        **dict.fromkeys(["name", "items", "item", "array", "note", "other"], TextField),
        "on": QCheckBox,
        **dict.fromkeys(["colour", "size"], QComboBox),
    }
    assert field(typed, "item").word() == '{"name": "", "price": 0.0, "tags": [], "picture": ""}'
    assert all(one.editor.accessibleName() for one in typed.payload.form.fields)
    assert typed.target.about.text() == "Return all that it gets, as text. → dict[str, Any]"
    assert "everything(count: int" in typed.target.about.toolTip()
    for name, text in (("count", "-12"), ("ratio", "2.5"), ("name", '"quoted" = 42'), ("data", "by")):
        editor = field(typed, name).editor
        editor.clear()  # type: ignore[union-attr]
        qtbot.keyClicks(editor, text)
    qtbot.keyClicks(field(typed, "count").editor, "x.")  # no digits, and not taken
    qtbot.mouseClick(field(typed, "on").editor, Qt.LeftButton, pos=QPoint(8, field(typed, "on").editor.height() // 2))
    qtbot.keyClicks(field(typed, "colour").editor, "r")
    qtbot.keyClicks(field(typed, "size").editor, "l")
    field(typed, "items").editor.setPlainText("[1, 2]")  # type: ignore[union-attr]
    field(typed, "item").editor.setPlainText('{"name": "n", "price": 1, "picture": "AAE="}')  # type: ignore[union-attr]
    field(typed, "array").editor.setPlainText("[1, 2, 3]")  # type: ignore[union-attr]
    assert not field(typed, "note").editor.isEnabled()
    qtbot.mouseClick(field(typed, "note").given, Qt.LeftButton)
    qtbot.mouseClick(field(typed, "note").null, Qt.LeftButton)
    qtbot.keyClicks(field(typed, "note").editor, "null")
    send(typed, qtbot)
    assert shown_tabs(typed) == ["Tree", "Text", "Hex", "Array", "Latency"]
    top = typed.result.value.index(0, 0)
    cells = {}
    for row in range(typed.result.value.rowCount(top)):
        index = typed.result.value.index(row, 0, top)
        cells[index.data()] = index.siblingAtColumn(1).data()
    assert cells == {
        "count": '"-12"',
        "ratio": '"2.5"',
        "name": '"\'\\"quoted\\" = 42\'"',
        "on": '"True"',
        "data": "\"b'by'\"",
        "colour": "\"<Colour.RED: 'red'>\"",
        "size": "\"'large'\"",
        "items": '"[1, 2]"',
        "item": "\"Item(name='n', price=1.0, tags=[], picture=b'\\\\x00\\\\x01')\"",
        "array": "float32 [3]",
        "note": '"null"',
        "limit": "null",
        "other": "null",
    }


def test_keyboard_and_default_values(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "add")
    assert field(typed, "b").word() is None
    assert field(typed, "b").editor.text() == "5"  # type: ignore[union-attr]
    field(typed, "a").editor.setText("2")  # type: ignore[union-attr]
    send(typed, qtbot)
    assert typed.result.currentWidget() is typed.result.text
    assert typed.result.text.toPlainText() == "7"
    field(typed, "b").given.setChecked(True)
    field(typed, "b").editor.setText("-2")  # type: ignore[union-attr]
    send(typed, qtbot)
    assert typed.result.text.toPlainText() == "0"


def test_bad_arguments_name_the_argument(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "everything")
    field(typed, "items").editor.setPlainText("[1, ")  # type: ignore[union-attr]
    send(typed, qtbot)
    assert "items" in typed.summary.text()
    assert "Nothing has been sent" in typed.result.failure.advice.text()
    field(typed, "items").editor.setPlainText('["one"]')  # type: ignore[union-attr]
    send(typed, qtbot)
    assert "items" in typed.summary.text()
    assert "BadRequest" in typed.summary.text()


def test_errors_have_the_traceback_of_the_server(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "math.fail")
    send(typed, qtbot)
    assert typed.result.currentWidget() is typed.result.failure
    assert "KeyError: 'no such thing'" in typed.summary.text()
    assert "services_program.py" in typed.result.failure.traceback.toPlainText()
    assert "raise KeyError(text)" in typed.result.failure.traceback.toPlainText()
    choose(typed, qtbot, "nothing")
    assert "lists no method" in typed.target.about.text()
    send(typed, qtbot)
    assert "UnknownMethod" in typed.summary.text()


def test_arrays_and_pictures(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "math.matrix")
    field(typed, "rows").editor.setText("3")  # type: ignore[union-attr]
    send(typed, qtbot)
    assert typed.result.currentWidget() is typed.result.arrays
    assert "float64" in typed.result.arrays.text.toPlainText()
    assert "3 × 4" in typed.result.arrays.text.toPlainText()
    assert "max 11" in typed.result.arrays.text.toPlainText()
    choose(typed, qtbot, "gradient")
    send(typed, qtbot)
    assert typed.result.currentWidget() is typed.result.picture
    image = typed.result.picture.image.toImage()
    assert (image.width(), image.height()) == (160, 90)
    assert image.pixelColor(159, 89).getRgb()[:3] == (255, 255, 0)
    choose(typed, qtbot, "png")
    send(typed, qtbot)
    assert typed.result.currentWidget() is typed.result.picture
    image = typed.result.picture.image.toImage()
    assert (image.width(), image.height()) == (16, 16)
    assert image.pixelColor(2, 1).getRgb()[:3] == (32, 16, 128)
    assert "PNG, 16 × 16" in typed.summary.text()


def test_payloads_of_a_server_that_says_nothing_of_its_methods(go: CallScreen, qtbot: QtBot, tmp_path: Path) -> None:
    choose(go, qtbot, "echo")
    assert go.payload.mode is Mode.TEXT
    assert not go.payload.isTabEnabled(0)
    go.payload.texts[Mode.TEXT].edit.setPlainText("wörld")
    send(go, qtbot)
    assert go.result.text.toPlainText() == "wörld"
    go.payload.texts[Mode.TEXT].edit.setPlainText('{"a": [1, 2]}')
    send(go, qtbot)
    assert go.result.currentWidget() is go.result.tree
    go.payload.mode = Mode.HEX
    go.payload.texts[Mode.HEX].edit.setPlainText("ff 00 01")
    send(go, qtbot)
    assert go.result.hex.toPlainText().startswith("00000000  ff 00 01")
    assert shown_tabs(go) == ["Hex", "Latency"]
    go.payload.texts[Mode.HEX].edit.setPlainText("xyz")
    send(go, qtbot)
    assert "hex" in go.summary.text()
    go.payload.mode = Mode.JSON
    go.payload.texts[Mode.JSON].edit.setPlainText('[{"a": [1, 2.5]}, null]')  # as MessagePack, which comes back
    send(go, qtbot)
    assert go.result.currentWidget() is go.result.tree
    file = tmp_path / "file"
    file.write_bytes(b"\x00" * 100_000)
    go.payload.mode = Mode.FILE
    go.payload.file.name.setText(str(file))
    send(go, qtbot)
    assert "97.66 KiB" in go.summary.text()
    go.payload.file.name.setText(str(tmp_path / "none"))
    send(go, qtbot)
    assert "FileNotFoundError" in go.summary.text()


def test_repeats_and_their_latency(go: CallScreen, qtbot: QtBot) -> None:
    choose(go, qtbot, "echo")
    go.repeat.setValue(2000)
    send(go, qtbot)
    assert "2,000 calls: p50 " in go.summary.text()
    go.result.setCurrentWidget(go.result.latency)
    assert len(go.result.latency.times) == 2000
    send(go, qtbot)
    assert go.result.currentWidget() is go.result.latency, "who watches times goes on to"


def test_cancel_in_the_middle_of_a_repeat(go: CallScreen, qtbot: QtBot) -> None:
    choose(go, qtbot, "sleep")
    go.payload.texts[Mode.TEXT].edit.setPlainText("20")
    go.repeat.setValue(100_000)
    go.send_button.click()
    qtbot.waitUntil(lambda: go.progress.value() > 2, timeout=LIMIT)
    assert not go.send_button.isEnabled()
    go.cancel_button.click()
    assert go.send_button.isEnabled(), "at once"
    assert go.summary.text().startswith("Cancelled · ")
    assert 2 < len(go.result.latency.times) < 100_000
    go.repeat.setValue(1)
    go.payload.texts[Mode.TEXT].edit.setPlainText("1")
    send(go, qtbot)
    assert go.result.text.toPlainText() == "1"


def test_cancel_a_call_of_a_server_that_does_not_answer(go: CallScreen, qtbot: QtBot, start: Start) -> None:
    stopped = start(str(ROOT / "server"), "-service", "stopped")
    choose(go, qtbot, "sleep")
    go.payload.texts[Mode.TEXT].edit.setPlainText("60000")
    go.timeout.setValue(3000)
    go.send_button.click()
    qtbot.wait(200)
    go.cancel()
    assert go.summary.text() == "Cancelled"
    stopped.send_signal(signal.SIGSTOP)
    go.target.choose("stopped", "echo")
    go.send_button.click()  # hangs in connecting
    qtbot.wait(200)
    go.cancel()
    assert go.summary.text() == "Cancelled"
    go.timeout.setValue(0.1)
    send(go, qtbot)
    assert "DeadlineExceeded" in go.summary.text()
    stopped.kill()


def test_a_server_that_dies_during_a_call(screen: CallScreen, qtbot: QtBot, typed_server: subprocess.Popen[str]) -> None:
    screen.refresh()
    qtbot.waitUntil(lambda: screen.target.method.findText("pause") >= 0, timeout=LIMIT)
    choose(screen, qtbot, "pause")
    field(screen, "seconds").editor.setText("3000")  # type: ignore[union-attr]
    screen.timeout.setValue(3600)
    screen.send_button.click()
    qtbot.wait(300)
    typed_server.kill()
    qtbot.waitUntil(lambda: screen.send_button.isEnabled(), timeout=LIMIT)
    assert "ServerGone" in screen.summary.text()
    assert "died or closed" in screen.result.failure.advice.text()


def test_history_restores_a_call(typed: CallScreen, qtbot: QtBot) -> None:
    assert not typed.past.table.isVisible()
    choose(typed, qtbot, "add")
    field(typed, "a").editor.setText("20")  # type: ignore[union-attr]
    field(typed, "b").given.setChecked(True)
    field(typed, "b").editor.setText("22")  # type: ignore[union-attr]
    typed.timeout.setValue(2)
    send(typed, qtbot)
    choose(typed, qtbot, "reverse")
    typed.payload.texts[Mode.TEXT].edit.setPlainText("abc")
    send(typed, qtbot)
    assert typed.result.text.toPlainText() == "cba"
    assert typed.past.table.isVisible()
    assert [typed.past.model.index(row, 3).data() for row in range(2)] == ["demo: reverse(abc)", "demo: add(a=20, b=22)"]
    typed.timeout.setValue(3)
    row = typed.past.table.visualRect(typed.past.model.index(1, 3))
    qtbot.mouseClick(typed.past.table.viewport(), Qt.LeftButton, pos=row.center())
    assert typed.target.method.currentText() == "add"
    assert [one.word() for one in typed.payload.form.fields] == ["20", "22"]
    assert typed.timeout.value() == 2
    send(typed, qtbot)
    assert typed.result.text.toPlainText() == "42"
    typed.past.table.setCurrentIndex(typed.past.model.index(1, 0))
    qtbot.keyClick(typed.past.table, Qt.Key_Return)
    assert typed.target.method.currentText() == "reverse"
    assert typed.payload.texts[Mode.TEXT].edit.toPlainText() == "abc"


def test_history_survives_the_window(typed_server: subprocess.Popen[str], qtbot: QtBot, directory: Path, show_screen: Show) -> None:
    typed = show_screen(CallScreen(str(directory)))
    qtbot.waitUntil(lambda: typed.target.method.findText("everything") >= 0, timeout=LIMIT)
    choose(typed, qtbot, "add")
    field(typed, "a").editor.setText("20")  # type: ignore[union-attr]
    send(typed, qtbot)
    choose(typed, qtbot, "reverse")
    typed.payload.texts[Mode.TEXT].edit.setPlainText("x " * (LONGEST_KEPT // 2) + "x")
    typed.timeout.setValue(7)
    send(typed, qtbot)
    typed.shutdown()
    typed_server.kill()
    typed_server.wait()
    assert stat.S_IMODE(calls_file().stat().st_mode) == 0o600

    later = show_screen(CallScreen(str(directory)))
    table, model = later.past.table, later.past.model
    qtbot.waitUntil(lambda: model.rowCount() == 2, timeout=LIMIT)
    assert [model.index(row, 3).data() for row in range(2)] == ["demo: reverse(… 65,537 characters, too long to keep)", "demo: add(a=20)"]
    assert model.index(1, 2).data() == "1 B, value"
    qtbot.mouseClick(table.viewport(), Qt.LeftButton, pos=table.visualRect(model.index(0, 0)).center())
    assert (later.target.service.currentText(), later.target.method.currentText(), later.timeout.value()) == ("demo", "reverse", 7)
    assert "too long to keep" in later.summary.text()
    qtbot.mouseClick(table.viewport(), Qt.LeftButton, pos=table.visualRect(model.index(1, 0)).center())
    qtbot.waitUntil(lambda: "ServerNotFound" in later.target.about.text(), timeout=LIMIT)
    assert [one.word() for one in later.payload.form.fields] == ["20", None], "the form is there though nobody serves it"
    send(later, qtbot)
    assert "ServerNotFound" in later.summary.text()
    later.shutdown()
    with sqlite3.connect(calls_file()) as base:
        base.execute("UPDATE calls SET call = '{}' WHERE id = 1")  # as another version might have written
    last = show_screen(CallScreen(str(directory)))
    qtbot.waitUntil(lambda: last.past.model.rowCount() == 2, timeout=LIMIT)
    last.shutdown()


def test_clear_is_for_good(typed: CallScreen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(typed, qtbot, "reverse")
    typed.payload.texts[Mode.TEXT].edit.setPlainText("a secret")
    send(typed, qtbot)
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.Cancel)
    qtbot.mouseClick(typed.past.clear_button, Qt.LeftButton)
    assert typed.past.model.rowCount() == 1
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.Yes)
    with qtbot.waitSignal(typed.past.message, timeout=LIMIT):
        qtbot.mouseClick(typed.past.clear_button, Qt.LeftButton)
    assert typed.past.model.rowCount() == 0
    assert not typed.past.table.isVisible()
    assert not any(b"a secret" in path.read_bytes() for path in calls_file().parent.iterdir())


def test_calls_are_bounded_in_number(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    store = CallStore(path)
    for number in range(MOST + 5):
        store.add(Entry.of(Call("demo", MethodInfo(name="add"), Mode.TEXT, text=str(number)), "done", [1, 3]))
    entries = store.all()
    store.close()
    assert [entry.call.text for entry in entries] == [str(number) for number in reversed(range(5, MOST + 5))]
    assert entries[0].took_ns == 2
    path.write_bytes(b"this is no data base" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        CallStore(path)


def test_calls_are_made_though_they_cannot_be_kept(qtbot: QtBot, directory: Path, show_screen: Show) -> None:
    calls_file().mkdir(parents=True)
    screen = CallScreen(str(directory))
    with qtbot.waitSignal(screen.message, timeout=LIMIT, check_params_cb=lambda text: "cannot be kept" in text):
        show_screen(screen)
    screen.target.service.setEditText("nobody")
    screen.target.method.setEditText("echo")
    send(screen, qtbot)
    assert screen.past.model.rowCount() == 1
    screen.shutdown()


def test_what_is_copied_runs(typed: CallScreen, qtbot: QtBot) -> None:
    choose(typed, qtbot, "add")
    field(typed, "a").editor.setText("20")  # type: ignore[union-attr]
    python, command = typed.copy_button.menu().actions()
    python.trigger()
    program = QApplication.clipboard().text()
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120).stdout == "25\n"
    command.trigger()
    line = QApplication.clipboard().text()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=120, env={**os.environ, "PATH": path})
    assert result.stdout == "25\n"
    assert shlex.split(line)[:2] == ["nanorpc", "call"]
    typed.payload.mode = Mode.JSON
    typed.payload.texts[Mode.JSON].edit.setPlainText("[")
    command.trigger()
    assert typed.summary.text().startswith("Not copied")
    assert QApplication.clipboard().text() == line


def test_keyboard(typed_server: subprocess.Popen[str], qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    """Without the mouse: from the list of servers to a call, sent and cancelled."""
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.keyClick(window, Qt.Key_4, Qt.ControlModifier)
    servers, call = window.servers, window.call
    assert window.current is servers
    qtbot.waitUntil(lambda: servers.sorted.rowCount() == 1 and servers.model.index(0, 2).data() != "–", timeout=LIMIT)
    qtbot.keyClick(servers, Qt.Key_F, Qt.ControlModifier)
    assert servers.filter.hasFocus()
    qtbot.keyClicks(servers.filter, "none like that")
    qtbot.keyClick(servers.filter, Qt.Key_Escape)
    assert servers.filter.text() == ""
    servers.table.setFocus()
    qtbot.keyClick(servers.table, Qt.Key_Down)
    qtbot.keyClick(servers.table, Qt.Key_Return)
    assert servers.detail.isVisible()
    qtbot.keyClick(servers.detail.tree, Qt.Key_Escape)
    assert servers.table.isVisible()
    qtbot.keyClick(servers.table, Qt.Key_Return)
    assert servers.detail.tree.hasFocus()
    servers.detail.tree.setCurrentIndex(servers.detail.methods.find("pause"))
    qtbot.keyClick(servers.detail.tree, Qt.Key_Return)
    assert window.current is call
    qtbot.waitUntil(lambda: call.target.info.kind == "typed" and bool(call.payload.form.fields), timeout=LIMIT)
    assert call.target.info.name == "pause"
    editor = field(call, "seconds").editor
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key_A, Qt.ControlModifier)
    qtbot.keyClicks(editor, "3000")
    call.timeout.setValue(3600)
    qtbot.keyClick(editor, Qt.Key_Return, Qt.ControlModifier)
    assert call.cancel_button.isEnabled()
    qtbot.wait(200)
    qtbot.keyClick(editor, Qt.Key_Escape)
    assert call.summary.text() == "Cancelled"
    qtbot.keyClick(editor, Qt.Key_A, Qt.ControlModifier)
    qtbot.keyClicks(editor, "0.01")
    qtbot.keyClick(editor, Qt.Key_R, Qt.ControlModifier)  # runs what the screen is there for
    qtbot.waitUntil(lambda: call.result.text.toPlainText() == "rested", timeout=LIMIT)
    choose(call, qtbot, "reverse")
    text = call.payload.texts[Mode.TEXT].edit
    text.setFocus()
    qtbot.keyClicks(text, "abc")
    qtbot.keyClick(text, Qt.Key_Enter, Qt.ControlModifier)
    qtbot.waitUntil(lambda: call.result.text.toPlainText() == "cba", timeout=LIMIT)
    assert text.toPlainText() == "abc", "the key is not the text's"
    with qtbot.waitSignal(call.message, timeout=LIMIT):
        qtbot.keyClick(call, Qt.Key_F5)
    window.close()


def test_everything_that_takes_the_focus_has_a_name(typed: CallScreen, qtbot: QtBot, demo_directory: Path) -> None:
    choose(typed, qtbot, "everything")
    send(typed, qtbot)
    choose(typed, qtbot, "add")
    servers = ServersScreen(str(demo_directory))
    qtbot.addWidget(servers)
    nameless = []
    for screen in (typed, servers):
        named = {label.buddy() for label in screen.findChildren(QLabel)}
        for widget in screen.findChildren(QWidget):
            part_of_another = isinstance(widget, QSplitterHandle | QTabBar) or isinstance(widget.parent(), QComboBox | QAbstractSpinBox)
            part_of_another = part_of_another or (widget.parent() is not None and isinstance(widget.parent().parent(), QComboBox))
            if widget.focusPolicy() == Qt.NoFocus or widget.objectName().startswith("qt_") or part_of_another:
                continue
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            if not (widget.accessibleName() or text or widget in named):
                nameless.append(f"{type(widget).__name__} in {type(widget.parent()).__name__}")
    assert not nameless


def test_event_loop_goes_on_during_calls(typed: CallScreen, qtbot: QtBot) -> None:
    """No slot of ours holds the loop: what other processes take of the machine does not count, only what this thread works between two ticks."""
    gaps: list[int] = []
    last = time.thread_time_ns()

    def tick() -> None:
        nonlocal last
        now = time.thread_time_ns()
        gaps.append(now - last)
        last = now

    heartbeat = QTimer()
    heartbeat.timeout.connect(tick)
    heartbeat.start(5)
    for method, name, value in (("gradient", "width", "3000"), ("math.matrix", "rows", "100000"), ("tree", "width", "9"), ("everything", "", "")):
        choose(typed, qtbot, method)
        if name:
            field(typed, name).given.setChecked(True)
            field(typed, name).editor.setText(value)  # type: ignore[union-attr]
        send(typed, qtbot)
        qtbot.wait(200)
    choose(typed, qtbot, "add")
    typed.repeat.setValue(20_000)
    send(typed, qtbot)
    qtbot.wait(300)
    heartbeat.stop()
    gaps.sort()
    longest = [round(gap / 1e6) for gap in gaps[-6:]]
    print(f"the longest times that the loop was held, in ms: {longest}")
    assert longest[-1] < 100, f"the longest times that the loop was held, in ms: {longest}"
    assert np.median(gaps) < 5e6
