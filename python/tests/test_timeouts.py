"""What may be given as a timeout, and what it means."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nanorpc


@pytest.mark.parametrize("timeout", [float("nan"), "1", [1]])
def test_what_is_no_number(demo: subprocess.Popen[str], timeout: object) -> None:
    with pytest.raises(nanorpc.InvalidOption, match="timeout"):
        nanorpc.connect("demo", timeout=timeout)  # type: ignore[arg-type]
    with nanorpc.connect("demo") as client:
        with pytest.raises(nanorpc.InvalidOption, match="timeout"):
            client.call("echo", timeout=timeout)  # type: ignore[arg-type]
        assert client.call("echo", b"x") == b"x"


@pytest.mark.parametrize("timeout", [float("inf"), 1e30, 10**30])
def test_for_ever(demo: subprocess.Popen[str], timeout: float) -> None:
    with nanorpc.connect("demo", timeout=timeout) as client:
        assert client.call("echo", b"x", timeout=timeout) == b"x"
        assert client.future("echo", b"x", timeout=timeout).result(60) == b"x"


@pytest.mark.parametrize("timeout", [0, -1, float("-inf")])
def test_no_time_at_all(demo: subprocess.Popen[str], timeout: float) -> None:
    with nanorpc.connect("demo") as client, pytest.raises(nanorpc.DeadlineExceeded):
        client.call("sleep", b"60000", timeout=timeout)


def test_no_loan_of_a_closed_client(demo: subprocess.Popen[str]) -> None:
    client = nanorpc.connect("demo")
    client.call("echo", b"x")
    client.close()
    for length in (1, 1000):
        with pytest.raises(nanorpc.ClientClosed):
            client.loan("echo", length)


STARTING = """
import sys, nanorpc
service = nanorpc.Service(sys.argv[1])
@service.method
def nothing() -> None: ...
server = nanorpc.Server(service)
start = server.start
def slow_start() -> None:
    print("starting", flush=True)
    start()
    sys.stdin.readline()
server.start = slow_start
server.run()
print("ended", nanorpc.services(), flush=True)
"""


def test_a_signal_while_it_starts_ends_a_server(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTING, "starting"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        while "starting" not in nanorpc.services():
            threading.Event().wait(0.01)
        process.send_signal(signal.SIGINT)
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended []\n"
        assert process.wait(60) == 0
