"""docs/examples: each runs by itself, and prints what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PRINTED = {
    "fan_out.py": [
        "alarm has missed 3 of 3 events",
        "display has seen {'temperature': 60, 'pressure': 30}",
        "archive has seen {'temperature': 60, 'pressure': 30}",
    ],
    "image_pipeline.py": ["frame 0: edges at columns [100], brightest 0.54", "frame 4: edges at columns [400, 500]"],
    "web_handler.py": ['200 OK: {"a": 1, "e": 2, "i": 0, "o": 1, "u": 0}', "400 Bad Request: \"missing argument 'text'", "404 Not Found"],
    "worker_pool.py": ["while it counts: pong", "9592 primes below 100000"],
}


def test_all_are_there() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PRINTED.keys()


@pytest.mark.parametrize("name", PRINTED)
def test_example(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONDEVMODE": ""}  # in which asyncio tells of what is slow, as on a loaded machine everything may be
    command = [sys.executable, "-W", "error", EXAMPLES / name]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert (result.returncode, result.stderr) == (0, "")
    for text in PRINTED[name]:
        assert text in result.stdout
    assert list(tmp_path.iterdir()) == []
