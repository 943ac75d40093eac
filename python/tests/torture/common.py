"""What the programs here have in common. go/torture runs them, each with a number of trials; they print a line of JSON for each, and one at the
end.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nanorpc
from nanorpc.introspection import STATS

HERE = Path(__file__).resolve().parent
PATIENCE = 30.0
"""Seconds for what takes milliseconds: on a loaded machine it may take long, but not for ever."""

State = tuple[int, int]
"""What a process has of the system: descriptors, and mapped segments."""


def tell(lost: list[str], tried: int = 0, ms: list[float] | None = None, note: str = "") -> None:
    """Print what go/torture reads: how many trials, what has been lost, times, a remark."""
    print(json.dumps({"tried": tried, "lost": lost, "ms": ms or [], "note": note}), flush=True)


def state_of(pid: int) -> State:
    maps = Path(f"/proc/{pid}/maps").read_text()
    return len(os.listdir(f"/proc/{pid}/fd")), maps.count("/dev/shm/") + maps.count("/memfd:nanorpc")


def within(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until a condition holds, and report whether it does in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        gc.collect()
        time.sleep(0.001)
    return True


def resting(pid: int, seconds: float = 2.0) -> State:
    """Return the least that a process has in some time, in which others connect to it and go all the time."""
    end = time.monotonic() + seconds
    least = state_of(pid)
    while time.monotonic() < end:
        time.sleep(0.001)
        least = min(least, state_of(pid))
    return least


def settled(pid: int) -> State:
    """Return the state of a process once it stays the same for some time."""
    last, since = state_of(pid), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.01)
        gc.collect()
        if (now := state_of(pid)) != last:
            last, since = now, time.monotonic()
    return last


@contextmanager
def services() -> Iterator[None]:
    """A directory for services of one's own."""
    with tempfile.TemporaryDirectory(prefix="nanorpc-torture-") as path:
        os.environ["NANORPC_DIR"] = path
        yield


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another program of these, which says when it is ready, and ends with its standard input. It is killed at the end of the block."""
    process = start(program, *arguments)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", f"{program} did not get ready: {line!r}"
        yield process
    finally:
        end(process)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / program), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def idle(observer: nanorpc.Client) -> bool:
    """Whether a server has nothing in flight."""
    return not [method for method in observer.stats().methods if method.in_flight and method.name != STATS]


def slots_lost(client: nanorpc.Client) -> list[str]:
    """Check that all slots of a client can be held at once."""
    gc.collect()
    loans: list[Any] = []
    try:
        while len(loans) < 256:
            loans.append(client.loan("same", 0, timeout=PATIENCE))
    except nanorpc.DeadlineExceeded:
        return [f"{256 - len(loans)} slots"]
    try:
        client.loan("same", 0, timeout=0.001)
    except nanorpc.DeadlineExceeded:
        return []
    return ["more than 256 slots can be held"]
