"""Pools of processes that use this package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SERVER = """
import threading, nanorpc
service = nanorpc.Service("pools")
@service.method
def square(number: int) -> int:
    return number * number
with nanorpc.Server(service):
    print("ready", flush=True)
    threading.Event().wait()
"""

POOL = """
import multiprocessing, sys
import nanorpc

def work(number):
    with nanorpc.connect("pools") as client:
        return client.square(number)

if __name__ == "__main__":
    method, loaded = sys.argv[1], sys.argv[2]
    context = multiprocessing.get_context(method)
    if loaded == "loaded":
        client = nanorpc.connect("pools")
        assert client.square(3) == 9
    with context.Pool(2) as pool:
        results = pool.map_async(work, range(20))
        try:
            assert results.get(120) == [number * number for number in range(20)]
        except nanorpc.ForkError as error:
            print("fork error")
        else:
            print("all right")
    if loaded == "loaded":
        assert client.square(3) == 9
        client.close()
"""


@pytest.mark.parametrize(
    ("method", "loaded", "outcome"),
    [
        ("spawn", "loaded", "all right"),
        ("spawn", "first", "all right"),
        ("forkserver", "loaded", "all right"),
        ("fork", "first", "all right"),
        ("fork", "loaded", "fork error"),
    ],
)
def test_pools(start: Callable[..., subprocess.Popen[str]], tmp_path: Path, method: str, loaded: str, outcome: str) -> None:
    start(sys.executable, "-c", SERVER)
    program = tmp_path / "pool.py"
    program.write_text(POOL)
    done = subprocess.run([sys.executable, str(program), method, loaded], capture_output=True, text=True, timeout=250)
    assert (done.returncode, done.stdout.strip()) == (0, outcome), done.stderr[-3000:]
