"""Round-trip times of Python clients: this package, calling a server in Go, beside a Unix stream socket with Python at both ends, and the
floor, two processes that spin on shared memory. ``python -m nanorpc bench`` prints them.

Closed loop: one client calls again when it has its reply. In each round the contenders take turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from statistics import median

from nanorpc._loader import checked, core
from nanorpc._peer import PYTHON_UDS, UDS_NAME, Messages
from nanorpc.client import connect
from nanorpc.compare.timing import Figures, closed_loop
from nanorpc.errors import NanoRPCError

Call = Callable[[bytes], "bytes | None"]

_POLL = 0.02  # s


@dataclass
class Case:
    """One contender at one payload size. Times are in ns; each is the median of the rounds'."""

    transport: str
    size_bytes: int
    inflight: int = 1
    calls: int = 0
    mean_ns: float = 0
    p50_ns: float = 0
    p99_ns: float = 0
    p999_ns: float = 0
    calls_per_s: float = 0
    errors: int = 0
    p50_low_ns: float = 0
    p50_high_ns: float = 0
    rounds: list[dict[str, float]] = field(default_factory=list, repr=False)

    def add(self, round_: dict[str, float]) -> None:
        """Take a round's figures in."""
        self.rounds.append(round_)
        self.calls = int(sum(r["calls"] for r in self.rounds))
        self.errors = int(sum(r["errors"] for r in self.rounds))
        for name in ("mean_ns", "p50_ns", "p99_ns", "p999_ns"):
            setattr(self, name, median(r[name] for r in self.rounds))
        self.calls_per_s = 1e9 / self.mean_ns if self.mean_ns else 0
        self.p50_low_ns = min(r["p50_ns"] for r in self.rounds)
        self.p50_high_ns = max(r["p50_ns"] for r in self.rounds)

    def as_json(self) -> str:
        """Return the case as one line of JSON, with the keys of ``./benchmark -json``."""
        fields = asdict(self)
        fields["rounds"] = len(self.rounds)
        return json.dumps(fields)


def measure(sizes: list[int], duration: float, rounds: int, progress: Callable[[str], None] = lambda text: None) -> list[Case]:
    """Measure every contender at every size, and return the cases in the order size, contender.

    :param sizes: payload sizes in bytes.
    :param duration: seconds for each case and round.
    :param progress: called with a line of text before each measurement.
    """
    cases = [Case(name, size) for size in sizes for name in ("limit", "nanorpc", "uds")]
    with ExitStack() as stack:
        calls: dict[str, Call] = {
            "nanorpc": stack.enter_context(_nanorpc(max(sizes))),
            "uds": stack.enter_context(_uds(max(sizes))),
        }
        for round_ in range(rounds):
            for case in cases:
                progress(f"round {round_ + 1} of {rounds}: {case.transport}, {case.size_bytes} B")
                if case.transport == "limit":
                    case.add(limit(case.size_bytes, duration))
                else:
                    case.add(_closed_loop(calls[case.transport], case.size_bytes, duration))
    return cases


def _closed_loop(call: Call, size: int, duration: float) -> Figures:
    """Call for a while. The replies are compared with the requests outside the timed part."""
    requests = [os.urandom(size) for _ in range(8)]
    return closed_loop(call, requests, requests, duration)


def limit(size: int, duration: float) -> Figures:
    """Run the floor, which is measured in Go, for a number of seconds. Blocks for as long. Returns the figures of a round.

    :raises NanoRPCError: it could not be measured; the message says why.
    """
    config = {
        "transports": ["limit"],
        "sizes": [size],
        "duration_ms": max(int(duration * 1e3), 1),
        "rounds": 1,
        "peer_command": [sys.executable, "-m", "nanorpc._peer"],
    }
    run = checked(core().pycore_BenchStart(json.dumps(config)))
    try:
        while (snapshot := json.loads(core().pycore_BenchPoll(run)))["state"] == "running":
            time.sleep(_POLL)
    finally:
        core().pycore_BenchForget(run)
    if snapshot["state"] != "done":
        raise NanoRPCError(f"the floor was not measured: {snapshot['error']}")
    result: Figures = snapshot["cases"][0]
    return result


@contextmanager
def _peer(transport: str, max_size: int) -> Iterator[Path]:
    """Start a server's process, and return the directory of its socket."""
    with tempfile.TemporaryDirectory(prefix="nanorpc-bench-") as directory:
        socket_directory = Path(directory) / "peer"
        socket_directory.mkdir(mode=0o700)
        argument = {"transport": transport, "directory": str(socket_directory), "spin": "adaptive", "max_size": max_size, "inflight": 1}
        with subprocess.Popen(
            [sys.executable, "-m", "nanorpc._peer", json.dumps(argument)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if not json.loads(process.stdout.readline() or b"{}").get("ready"):
                raise NanoRPCError(f"the {transport} server's process did not start")
            yield socket_directory
            process.stdin.close()


@contextmanager
def _nanorpc(max_size: int) -> Iterator[Call]:
    with _peer("nanorpc", max_size) as directory, connect("bench", directory=str(directory)) as client:
        call = client.call
        yield lambda request: call("echo", request)


@contextmanager
def _uds(max_size: int) -> Iterator[Call]:
    with _peer(PYTHON_UDS, max_size) as directory, socket(AF_UNIX, SOCK_STREAM) as connection:
        connection.connect(str(directory / UDS_NAME))
        messages = Messages(connection)

        def call(request: bytes) -> bytes | None:
            messages.send(request)
            return messages.receive()

        yield call
