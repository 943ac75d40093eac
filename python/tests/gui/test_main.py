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
        # The loop runs when Python has its own handler for SIGINT that the application sets: SigCgt tells of Python's default one too, so
        # wait until Qt and matplotlib are loaded, and ask again while the process lives.
        limit = time.monotonic() + 120
        while "backend_agg" not in Path(f"/proc/{process.pid}/maps").read_text() and time.monotonic() < limit:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.1)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
