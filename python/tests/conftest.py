"""Fixtures: a service directory of the test's own, and servers in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_SERVER = """
import sys, threading, time, nanorpc
service = nanorpc.Service(sys.argv[1])
@service.method(raw=True)
def reverse(request):
    return request[::-1]
@service.method(raw=True)
def nothing(request):
    return None
@service.method(raw=True)
def fail(request):
    raise KeyError("no such thing")
@service.method(raw=True)
def wrong(request):
    return 3
@service.method(raw=True)
def large(request):
    return bytearray(int(request))
@service.method(name="sleep", raw=True)
def pause(request):
    time.sleep(float(request))
    return b"slept"


def tell():
    while "python" not in nanorpc.services():
        time.sleep(0.01)
    print("ready", flush=True)


threading.Thread(target=tell, daemon=True).start()
nanorpc.serve(service, workers=2)
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "services"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("NANORPC_DIR", str(path))
    return path


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that prints a line when it is ready, and kills it after the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*command: str, ready: str = "ready") -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert ready in process.stdout.readline()
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def demo(start: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """The Go server."""
    return start(str(ROOT / "server"), "-service", "demo")


@pytest.fixture
def python_server(start: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """A server in Python, which runs until a signal."""
    return start(sys.executable, "-c", PYTHON_SERVER, "python")
