"""Pictures of all screens in all states, small and large, for people to look at. Tested is that nothing is clipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt5.QtGui import QImage

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "screenshots"
LIVE = ["servers", "server", "call-form", "call-tree", "call-error", "call-image", "call-array", "call-latency", "servers-none"]
MEASURED = [
    "benchmark-none",
    "benchmark-runs",
    "benchmark",
    "results-none",
    "results",
    "results-throughput",
    "results-compared",
    "history-none",
    "history",
]
SIZES = {"small": (1000, 650), "large": (1400, 900)}
RUNS = {
    ("take_screenshots", 1): ("light", "dark"),
    ("take_screenshots", 2): ("light", "dark"),
    ("take_benchmark_screenshots", 1): ("light",),
    ("take_benchmark_screenshots", 2): ("dark",),
}


@pytest.fixture(scope="module")
def running() -> Iterator[dict[tuple[str, int], subprocess.Popen[str]]]:
    """The programs that take pictures, all at once: they wait for servers and timers most of the time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    programs = {}
    for (program, scale), themes in RUNS.items():
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(scale)}
        command = [sys.executable, str(Path(__file__).parent / f"{program}.py"), str(scale), str(FOLDER), *themes]
        programs[program, scale] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield programs
    for process in programs.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("program", "scale"), RUNS)
def test_nothing_is_clipped(running: dict[tuple[str, int], subprocess.Popen[str]], program: str, scale: int) -> None:
    process = running[program, scale]
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    said = json.loads(output.splitlines()[-1])
    assert said["ratio"] == scale
    assert said["clipped"] == {}
    for name in LIVE if program == "take_screenshots" else MEASURED:
        for theme in RUNS[program, scale]:
            for size, (width, height) in SIZES.items():
                image = QImage(str(FOLDER / f"{name}-{size}-{theme}-{scale}x.png"))
                assert (image.width(), image.height()) == (width * scale, height * scale)
                assert (image.pixelColor(3, height * scale - 3).lightness() < 128) == (theme == "dark")
