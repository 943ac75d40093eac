from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = [[sys.executable, "-m", "nanorpc.gui"], [sys.executable, str(ROOT / "gui" / "main.py")]]


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")}
    return kept | changes


@pytest.mark.parametrize("command", COMMANDS, ids=["module", "script"])
@pytest.mark.parametrize("variables", [{}, {"DISPLAY": ":4711"}], ids=["none", "wrong"])
def test_without_a_display(command: list[str], variables: dict[str, str], tmp_path: Path) -> None:
    result = subprocess.run(command, env=environment(**variables), cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "display" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=["module", "script"])
def test_window_opens_and_ctrl_c_closes_it(command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(command, env=environment(QT_QPA_PLATFORM="offscreen"), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        # The handler of SIGINT is the application's when its loop runs. SigCgt tells of Python's own one too: so wait until all is loaded, and the
        # process has slept for a while, which it does not while it starts.
        limit = time.monotonic() + 120
        slept = 0
        while slept < 20 and time.monotonic() < limit:
            assert process.poll() is None, process.stderr and process.stderr.read()
            loaded = "backend_agg" in Path(f"/proc/{process.pid}/maps").read_text()
            sleeps = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
            slept = slept + 1 if loaded and sleeps else 0
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="there is no xvfb-run: install xvfb")
def test_smoke_on_an_x_server(tmp_path: Path) -> None:
    """The window on a real display, with Qt's X11 plug-in: it opens all screens, measures, and closes itself."""
    program = tmp_path / "smoke.py"
    program.write_text(SMOKE)
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x900x24", sys.executable, str(program), str(tmp_path)]
    result = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    assert "xcb done ['benchmark', 'call', 'history', 'results', 'servers']" in result.stdout, result.stdout + result.stderr
    assert "Traceback" not in result.stderr


SMOKE = """
import sys
from pathlib import Path
from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import QApplication
from nanorpc.gui import app
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.window import Window

seen = []

class Smoke(Window):
    def __init__(self, directory):
        super().__init__(sys.argv[1], history=Path(sys.argv[1]) / "history.sqlite3")
        self.benchmark.options.show_plan(Plan(("nanorpc", "uds"), (64,), duration_ms=50, rounds=2))
        self.benchmark.finished.connect(self.done)
        QTimer.singleShot(500, self.begin)

    def begin(self):
        for name in self.screens:
            self.show_screen(name)
            QApplication.processEvents()
            seen.append(name)
        self.show_screen("benchmark")
        self.benchmark.primary()

    def done(self, record):
        QTimer.singleShot(500, self.close)
        print(QApplication.platformName(), record.state, sorted(seen), flush=True)

app.Window = Smoke
sys.exit(app.run(None, None))
"""
