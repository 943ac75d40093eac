"""The servers' screen, with servers in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import nanorpc
from nanorpc.gui.servers.columns import COLUMNS, TREND
from nanorpc.gui.servers.methods import METHOD
from nanorpc.gui.servers.model import RECORD, TREND_ROLE
from nanorpc.gui.servers.record import Record, State
from nanorpc.gui.servers_screen import ServersScreen

LIMIT = 60_000  # ms
ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def screen(show_screen: Callable[[ServersScreen], ServersScreen], directory: Path) -> ServersScreen:
    return show_screen(ServersScreen(str(directory)))


def rows(screen: ServersScreen) -> dict[str, dict[str, str]]:
    """Return what the table shows, by service."""
    shown = {}
    for row in range(screen.sorted.rowCount()):
        cells = {column.title: screen.sorted.index(row, i).data() for i, column in enumerate(COLUMNS)}
        shown[cells["Service"]] = cells
    return shown


def record_of(screen: ServersScreen, service: str) -> Record:
    for row in range(screen.model.rowCount()):
        record = screen.model.index(row, 0).data(RECORD)
        if record.service == service:
            return record
    raise LookupError(service)


def go_server(start: Start, name: str) -> subprocess.Popen[str]:
    return start(str(ROOT / "server"), "-service", name)


def answered(screen: ServersScreen, *names: str) -> Callable[[], bool]:
    def there() -> bool:
        shown = rows(screen)
        return all(name in shown and shown[name]["State"].endswith("running") and shown[name]["Calls/s"] != "–" for name in names)

    return there


def test_no_servers(screen: ServersScreen, qtbot: QtBot, directory: Path) -> None:
    qtbot.waitUntil(lambda: screen.nothing.isVisible(), timeout=LIMIT)
    assert "No service is running" in screen.nothing.title.text()
    screen.nothing.command.button.click()
    command = QApplication.clipboard().text()
    process = subprocess.Popen(["sh", "-c", f"exec {command.removeprefix('NANORPC_DIR=' + str(directory))}"])
    try:
        qtbot.waitUntil(answered(screen, "hello"), timeout=LIMIT)
        with nanorpc.connect("hello") as client:
            assert client.greet("you") == "hello, you"
    finally:
        process.kill()
        process.wait()


def test_figures_of_a_go_and_a_python_server(
    screen: ServersScreen, qtbot: QtBot, demo_go: subprocess.Popen[str], typed_server: subprocess.Popen[str]
) -> None:
    qtbot.waitUntil(answered(screen, "go", "demo"), timeout=LIMIT)
    with nanorpc.connect("go") as go, nanorpc.connect("demo") as demo:

        def called() -> bool:
            for _ in range(300):
                go.call("echo", b"x")
                demo.add(2, 3)
            with pytest.raises(nanorpc.RemoteError):
                demo.method("math.fail")()
            shown = rows(screen)
            return (
                all(row["Calls/s"] not in ("–", "0") and row["p50"] != "–" and row["p99"] != "–" for row in shown.values())
                and shown["demo"]["Errors"] != "0"
            )

        qtbot.waitUntil(called, timeout=LIMIT)
        shown = rows(screen)
    assert shown["go"]["PID"] == str(demo_go.pid)
    assert shown["demo"]["PID"] == str(typed_server.pid)
    assert {row["User"] for row in shown.values()} == {os.environ.get("USER", "root")} or all(row["User"] for row in shown.values())
    assert {row["Clients"] for row in shown.values()} == {"1"}
    assert all(row["Uptime"].endswith("s") for row in shown.values())
    assert all(row["Pool"].endswith("%") for row in shown.values())
    record = record_of(screen, "go")
    assert record.waits[0] + record.waits[1] > 0
    assert record.memory > 8192
    assert max(point.rate for point in record.past) > 0
    trend = screen.model.index(0, TREND).data(TREND_ROLE)
    assert max(trend) > 0


@pytest.fixture
def demo_go(start: Start) -> subprocess.Popen[str]:
    return go_server(start, "go")


def test_a_server_that_is_killed_is_dead_at_once(screen: ServersScreen, qtbot: QtBot, start: Start, demo_go: subprocess.Popen[str]) -> None:
    other = go_server(start, "other")
    qtbot.waitUntil(answered(screen, "go", "other"), timeout=LIMIT)
    screen.monitor.pause()  # only the notice of its death is left
    qtbot.wait(50)
    demo_go.kill()
    qtbot.waitUntil(lambda: "gone" in rows(screen)["go"]["State"], timeout=LIMIT)
    screen.monitor.resume()
    row = next(row for row in range(2) if screen.sorted.index(row, 0).data() == "go")
    assert row == 1, "those that have gone come last"
    assert screen.sorted.index(row, 0).data(Qt.ForegroundRole) is not None
    assert screen.dismiss_all_button.isEnabled()
    assert not screen.dismiss_button.isEnabled()
    screen.table.selectRow(row)
    screen.dismiss_button.click()
    assert list(rows(screen)) == ["other"]
    assert not screen.dismiss_button.isEnabled()

    other.send_signal(signal.SIGTERM)  # closes in good order
    qtbot.waitUntil(lambda: "gone" in rows(screen)["other"]["State"], timeout=LIMIT)
    again = go_server(start, "other")
    qtbot.waitUntil(lambda: screen.model.rowCount() == 2, timeout=LIMIT)  # the old one stays until it is dismissed
    qtbot.waitUntil(answered(screen), timeout=LIMIT)
    assert again.pid in {record.pid for row in range(2) if (record := screen.model.index(row, 0).data(RECORD))}
    screen.dismiss_all_button.click()
    assert screen.model.rowCount() == 1


def test_the_notice_of_death_is_quick(screen: ServersScreen, qtbot: QtBot, demo_go: subprocess.Popen[str]) -> None:
    """Not a poll's time: the time of a signal, a socket's end, and a slot. On a busy machine it is longer, so that only the order counts."""
    qtbot.waitUntil(answered(screen, "go"), timeout=LIMIT)
    screen.monitor.pause()
    with qtbot.waitSignal(screen.model.changed, timeout=LIMIT, check_params_cb=lambda record: record.state is State.GONE):
        start = time.monotonic()
        demo_go.kill()
    print(f"shown as gone after {(time.monotonic() - start) * 1e3:.1f} ms")


def test_a_stopped_server_holds_nobody_up(screen: ServersScreen, qtbot: QtBot, start: Start, demo_go: subprocess.Popen[str]) -> None:
    stopped_before = go_server(start, "never")
    stopped_before.send_signal(signal.SIGSTOP)  # before the dashboard has met it
    typed = start(sys.executable, "-m", "nanorpc", "serve", f"{Path(__file__).parent / 'services_program.py'}:demo", ready="serving")
    qtbot.waitUntil(answered(screen, "go", "demo"), timeout=LIMIT)
    demo_go.send_signal(signal.SIGSTOP)
    try:
        qtbot.waitUntil(lambda: all("not answering" in rows(screen)[name]["State"] for name in ("go", "never")), timeout=LIMIT)
        uptime = record_of(screen, "demo").sample.now.uptime_ns  # type: ignore[union-attr]
        qtbot.waitUntil(lambda: record_of(screen, "demo").sample.now.uptime_ns > uptime, timeout=LIMIT)  # type: ignore[union-attr]
        assert record_of(screen, "demo").state is State.RUNNING
        assert record_of(screen, "go").pid == demo_go.pid
        assert "stopped" in screen.model.index(0, 1).data(Qt.ToolTipRole) + record_of(screen, "go").reason
    finally:
        demo_go.send_signal(signal.SIGCONT)
        stopped_before.send_signal(signal.SIGCONT)
    qtbot.waitUntil(answered(screen, "go", "never", "demo"), timeout=LIMIT)
    demo_go.send_signal(signal.SIGSTOP)
    demo_go.kill()  # stopped, and killed
    qtbot.waitUntil(lambda: "gone" in rows(screen)["go"]["State"], timeout=LIMIT)
    assert typed.poll() is None


def test_filter_and_sort(screen: ServersScreen, qtbot: QtBot, start: Start) -> None:
    for name in ("beta", "alpha", "gamma"):
        go_server(start, name)
    qtbot.waitUntil(answered(screen, "alpha", "beta", "gamma"), timeout=LIMIT)
    assert list(rows(screen)) == ["alpha", "beta", "gamma"]
    screen.table.sortByColumn(0, Qt.DescendingOrder)
    assert list(rows(screen)) == ["gamma", "beta", "alpha"]
    screen.table.sortByColumn(12, Qt.AscendingOrder)
    pids = [int(row["PID"]) for row in rows(screen).values()]
    assert pids == sorted(pids)
    qtbot.keyClicks(screen.filter, "ALP")
    assert list(rows(screen)) == ["alpha"]
    screen.filter.setText("sha256")  # a method
    assert len(rows(screen)) == 3
    screen.filter.setText("nothing like that")
    assert screen.no_match.isVisible()
    screen.filter.clear()
    assert screen.table.isVisible()


def test_detail(screen: ServersScreen, qtbot: QtBot, typed_server: subprocess.Popen[str]) -> None:
    qtbot.waitUntil(answered(screen, "demo"), timeout=LIMIT)
    screen.table.selectRow(0)
    screen.open_button.click()
    detail = screen.detail
    assert detail.isVisible()
    assert "demo 2.1" in detail.title.text()
    assert f"process {typed_server.pid}" in detail.facts.text()
    assert "What the dashboard" in detail.facts.text()
    tree = detail.methods
    top = [tree.index(row, 0).data() for row in range(tree.rowCount())]
    assert "math" in top
    assert "add" in top
    branch = tree.index(top.index("math"), 0)
    assert [tree.index(row, 0, branch).data() for row in range(tree.rowCount(branch))] == ["matrix", "fail"]
    assert tree.parent(tree.index(0, 0, branch)) == branch
    detail.tree.setCurrentIndex(tree.find("add"))
    assert "add(a: int, b: int = 5) -> int" in detail.about.toPlainText()
    assert "Add two numbers." in detail.about.toPlainText()
    assert "idempotent" in detail.about.toPlainText()
    with nanorpc.connect("demo") as client:

        def counted() -> bool:
            client.add(1)
            index = tree.find("add")
            return index.siblingAtColumn(6).data() not in ("–", "0") and index.siblingAtColumn(2).data() != "–"

        qtbot.waitUntil(counted, timeout=LIMIT)
    assert detail.of_method.data is not None
    qtbot.waitUntil(lambda: len(detail.rolling.data.points) > 1 and len(detail.of_method.data.points) > 1, timeout=LIMIT)  # type: ignore[union-attr]
    assert detail.of_method.data.name == "add"
    assert max(point.rate for point in detail.of_method.data.points) > 0
    qtbot.waitUntil(lambda: any(len(marks.pixels) > 1 for marks in detail.of_method.marks), timeout=LIMIT)
    detail.tree.setCurrentIndex(tree.find("pause"))
    assert detail.of_method.data is None, "it has not been called"
    detail.tree.setCurrentIndex(tree.find("add"))
    with qtbot.waitSignal(screen.call_wanted, timeout=LIMIT) as wanted:
        detail.call_button.click()
    assert wanted.args == ["demo", "add"]
    typed_server.kill()
    qtbot.waitUntil(lambda: "gone" in detail.facts.text(), timeout=LIMIT)
    assert not detail.call_button.isEnabled()
    assert detail.tree.currentIndex().data(METHOD) is not None
    qtbot.keyClick(detail.tree, Qt.Key_Left, Qt.AltModifier)
    assert screen.table.isVisible()


def test_a_directory_that_cannot_be_read(screen: ServersScreen, qtbot: QtBot, directory: Path) -> None:
    qtbot.waitUntil(lambda: screen.nothing.isVisible(), timeout=LIMIT)
    directory.chmod(0o777)
    qtbot.waitUntil(lambda: "cannot be read" in screen.nothing.title.text(), timeout=LIMIT)
    directory.chmod(0o700)
    qtbot.waitUntil(lambda: "No service" in screen.nothing.title.text(), timeout=LIMIT)
