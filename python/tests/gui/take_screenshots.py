"""Opens the dashboard, uses its live screens as a user would, and saves pictures of them in all themes. The tests run it, once for each scale.

``take_screenshots.py SCALE FOLDER THEME...``
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QSizePolicy, QWidget

import nanorpc
from nanorpc.gui.call.request import Mode
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.servers.record import State
from nanorpc.gui.window import Window

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 60.0
SIZES = {"small": (1000, 650), "large": (1400, 900)}


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        QTest.qWait(20)


def clipped(root: QWidget) -> list[str]:
    """Return the texts of visible widgets that have less room than they need."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisibleTo(root) or widget.visibleRegion().isEmpty():
            continue
        if isinstance(widget, QLabel) and widget.text() and widget.sizePolicy().horizontalPolicy() != QSizePolicy.Ignored:
            needed = widget.heightForWidth(widget.width()) if widget.wordWrap() else widget.sizeHint().height()
            fits = needed <= widget.height() and (widget.wordWrap() or widget.sizeHint().width() <= widget.width())
        elif isinstance(widget, QAbstractButton) and widget.text():
            fits = widget.minimumSizeHint().width() <= widget.width() and widget.minimumSizeHint().height() <= widget.height() + 1
        elif isinstance(widget, QComboBox):
            fits = widget.minimumSizeHint().width() <= widget.width()
        else:
            continue
        if not fits:
            text = widget.currentText() if isinstance(widget, QComboBox) else widget.text()
            found.append(f"{type(widget).__name__} {text[:40]!r}: {widget.width()}×{widget.height()}")
    return found


class Pictures:
    def __init__(self, window: Window, scale: str, folder: Path, themes: Sequence[str]) -> None:
        self.window, self.scale, self.folder, self.themes = window, scale, folder, themes
        self.clipped: dict[str, list[str]] = {}

    def take(self, name: str) -> None:
        for theme in self.themes:
            self.window._choose_theme(theme)
            for size, (width, height) in SIZES.items():
                self.window.resize(width, height)
                QTest.qWait(80)
                for plot in self.window.findChildren(PlotWidget):
                    wait(lambda plot=plot: plot.idle or not plot.isVisible())  # a thread draws it
                QTest.qWait(20)
                file = f"{name}-{size}-{theme}-{self.scale}x"
                self.window.grab().save(str(self.folder / f"{file}.png"))
                if texts := clipped(self.window):
                    self.clipped[file] = texts


def main() -> None:
    scale, folder, *themes = sys.argv[1:]
    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "services"
        directory.mkdir(mode=0o700)
        settings = QSettings(str(Path(place) / "settings"), QSettings.IniFormat)
        window = Window(str(directory), settings, Path(place) / "runs")
        window.show()
        pictures = Pictures(window, scale, Path(folder), themes)
        servers = [*(start_go(directory, name) for name in ("orders", "images", "search")), start_python(directory)]
        stop = threading.Event()
        try:
            traffic = threading.Thread(target=call_all, args=(str(directory), stop))
            drive(window, pictures, servers, traffic)
        finally:
            stop.set()
            for server in servers:
                server.send_signal(signal.SIGCONT)
                server.kill()
                server.wait()
                assert server.stdout is not None
                server.stdout.close()
            window.close()
    print(json.dumps({"clipped": pictures.clipped, "ratio": window.devicePixelRatioF()}))
    del application


def start_go(directory: Path, name: str) -> subprocess.Popen[str]:
    return started([str(ROOT / "server"), "-dir", str(directory), "-service", name])


def start_python(directory: Path) -> subprocess.Popen[str]:
    program = f"{Path(__file__).parent / 'services_program.py'}:demo"
    return started([sys.executable, "-m", "nanorpc", "serve", program, "--traceback", "--directory", str(directory)])


def started(command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def call_all(directory: str, stop: threading.Event) -> None:
    """Make calls, now more and now fewer, until that is enough."""
    with nanorpc.connect("orders", directory=directory, spin="none") as orders, nanorpc.connect("demo", directory=directory, spin="none") as demo:
        count = 0
        try:
            while not stop.wait(0.02):
                count += 1
                for _ in range(5 + count % 60):
                    orders.call("echo", b"x" * 64)
                    demo.add(2, 3)
        except nanorpc.ServerGone:
            pass


def drive(window: Window, pictures: Pictures, servers: list[subprocess.Popen[str]], traffic: threading.Thread) -> None:
    """Go through all states of the screens."""
    screen = window.servers
    window.show_screen("servers")
    wait(lambda: screen.model.rowCount() == 4)
    traffic.start()
    QTest.qWait(6000)
    servers[2].send_signal(signal.SIGSTOP)
    servers[1].kill()
    wait(lambda: {screen.model.index(row, 1).data()[2:] for row in range(4)} == {"running", "not answering", "gone"})
    pictures.take("servers")
    row = next(row for row in range(4) if screen.sorted.index(row, 0).data() == "demo")
    screen.table.selectRow(row)
    screen.open_button.click()
    wait(lambda: screen.detail.rolling.idle)
    pictures.take("server")
    call = window.call
    window.show_screen("call")
    call.target.choose("demo", "everything")
    wait(lambda: call.payload.form.fields and call.target.info.kind)
    pictures.take("call-form")
    call.target.method.setEditText("tree")
    send(call)
    pictures.take("call-tree")
    call.target.method.setEditText("math.fail")
    send(call)
    pictures.take("call-error")
    call.target.method.setEditText("gradient")
    send(call)
    pictures.take("call-image")
    call.result.setCurrentWidget(call.result.arrays)
    pictures.take("call-array")
    call.target.choose("orders", "echo")
    wait(lambda: "sha256" in [call.target.method.itemText(i) for i in range(call.target.method.count())])
    call.payload.texts[Mode.TEXT].edit.setPlainText("NanoRPC")
    call.repeat.setValue(5000)
    send(call)
    call.result.setCurrentWidget(call.result.latency)
    wait(lambda: call.result.latency.plot.idle)
    pictures.take("call-latency")
    for server in servers:
        server.send_signal(signal.SIGCONT)
        server.kill()
    window.show_screen("servers")
    screen.show_list()
    wait(lambda: screen.model.count(State.GONE) == screen.model.rowCount())
    screen.model.dismiss_all()
    pictures.take("servers-none")


def send(call: Any) -> None:
    call.send()
    wait(lambda: call.send_button.isEnabled())


if __name__ == "__main__":
    main()
