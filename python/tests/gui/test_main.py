from __future__ import annotations

import os
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
