"""Fixtures: a service directory of the test's own, and servers in processes of their own."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import nanorpc

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell runs in the background; the tests' processes would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture
def serve(directory: Path) -> Iterator[Callable[..., nanorpc.Client]]:
    """Serves a service in this process, with the options of a server, and returns a client, until the end of the test."""
    with ExitStack() as stack:

        def run(service: nanorpc.Service, *, client: dict[str, Any] | None = None, **options: Any) -> nanorpc.Client:
            stack.enter_context(nanorpc.Server(service, **options))
            return stack.enter_context(nanorpc.connect(service.name, **(client or {})))

        yield run


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Waits for a condition, and fails if it never holds."""

    def wait(condition: Callable[[], object], what: str = "") -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, what or "the condition never held"
            gc.collect()
            time.sleep(0.01)

    return wait


@pytest.fixture
def all_slots_are_free(eventually: Callable[..., None]) -> Callable[[nanorpc.Client], None]:
    """Checks that nothing has kept a slot of a client: all 256 can be held at once, and then be used."""

    def check(client: nanorpc.Client) -> None:
        gc.collect()
        loans = [client.loan("no method", 0, timeout=60) for _ in range(256)]
        with pytest.raises(nanorpc.DeadlineExceeded):
            client.loan("no method", 0, timeout=0.01)
        for loan in loans:
            loan.release()

    return check
