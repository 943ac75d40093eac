"""Pictures of the benchmark, its results and history in all states, small and large, for people to look at. Tested is that nothing is clipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PyQt5.QtGui import QImage

ROOT = Path(__file__).resolve().parents[3]
NAMES = [
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


@pytest.mark.parametrize(("theme", "scale"), [("light", 1), ("dark", 2)])
def test_nothing_is_clipped(theme: str, scale: int) -> None:
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(scale)}
    suffix = f"{theme}-{scale}x"
    program = [sys.executable, str(Path(__file__).parent / "take_benchmark_screenshots.py"), theme, suffix, str(folder)]
    result = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    assert said["ratio"] == scale
    assert said["clipped"] == {}
    for name in NAMES:
        for size, (width, height) in {"small": (1000, 650), "large": (1400, 900)}.items():
            image = QImage(str(folder / f"{name}-{size}-{suffix}.png"))
            assert (image.width(), image.height()) == (width * scale, height * scale)
            assert (image.pixelColor(3, height * scale - 3).lightness() < 128) == (theme == "dark")
