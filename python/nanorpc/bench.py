"""Benchmarks of the core, for programs that show them, such as the dashboard: started here, run by the core, with the peer in a process of its own.

A run goes on in threads of the core, outside Python's interpreter lock::

    with Run(Config(transports=["nanorpc", "uds"], sizes=[64, 4096])) as run:
        while (snapshot := run.poll()).state == "running":
            time.sleep(0.1)

It measures Go clients and Go servers. ``python -m nanorpc bench`` measures Python clients.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

from nanorpc._loader import checked, core
from nanorpc.errors import NanoRPCError
from nanorpc.units import size_text

TRANSPORTS = ("limit", "limit-copy", "nanorpc", "nanorpc-busy", "nanorpc-none", "nanorpc-loan", "nanorpc-batch", "uds", "uds-batch")
"""What can be measured. ``limit`` is two processes that spin on two cache lines, ``limit-copy`` the same with the payload copied in and out,
``nanorpc-busy`` and ``nanorpc-none`` are ordinary calls with that spin policy, ``nanorpc-loan`` calls without copies, ``uds`` a Unix stream socket;
the batches have one caller, who makes all calls in flight at once."""

MAX_SIZE = 64 << 20
"""The longest payload, in bytes."""


@dataclass(frozen=True)
class Config:
    """What a run measures, as in ``./benchmark``."""

    transports: Sequence[str] = ("limit", "nanorpc", "uds")
    sizes: Sequence[int] = (64, 4096, 65536, 1 << 20)
    """Payload lengths in bytes, up to :data:`MAX_SIZE`."""
    duration_ms: int = 300
    """How long each transport is measured at each size in each round."""
    rounds: int = 5
    inflight: int = 1
    """Concurrent callers."""
    spin: str = "adaptive"
    """NanoRPC's spin policy at both ends: ``adaptive``, ``busy`` or ``none``."""
    rate: float = 0
    """Calls a second of all callers together, each timed from when it was due; 0: a closed loop, each begins when the last has ended."""
    warmup_ms: int = 50
    """How long each transport is called before it is measured."""
    pin: bool = False
    """Whether this process, with all its threads, is kept on one CPU while it runs, and the servers on another."""


@dataclass(frozen=True)
class Case:
    """What one transport has come to at one payload size. Times and rates are medians of the rounds."""

    transport: str
    size_bytes: int
    inflight: int
    calls: int
    mean_ns: float
    p50_ns: float
    p99_ns: float
    p999_ns: float
    calls_per_s: float
    errors: int
    rounds: int
    p50_low_ns: float
    p50_high_ns: float
    clients: int = 1
    """Processes that called at once."""
    client_cpu_ns: float = 0
    """CPU time that a call takes of the process that calls, or of all that call together; 0: not known."""
    server_cpu_ns: float = 0
    """The same of the server."""
    fair_share_low: float = 1.0
    """The slowest client's calls as a part of its fair share."""
    rate: float = 0
    """Calls a second that were to be made; 0: a closed loop."""
    first_error: str = ""
    round_p50_ns: list[float] = field(default_factory=list, repr=False)
    """Of each round, in their order."""
    distribution: list[list[int]] = field(default_factory=list, repr=False)
    """Pairs, ascending: a time in ns, and how many calls took at most that and longer than the pair before."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures with the keys of ``./benchmark -json``."""
        figures = asdict(self)
        del figures["distribution"], figures["round_p50_ns"]
        for optional in ("first_error", "rate", "client_cpu_ns", "server_cpu_ns"):
            if not figures[optional]:
                del figures[optional]
        return figures


@dataclass(frozen=True)
class Snapshot:
    """How far a run has come."""

    state: str
    """``running``, ``done``, ``stopped`` or ``failed``."""
    error: str
    """Why it failed, else empty."""
    fraction: float
    """Of the measuring that is done, 0 to 1."""
    elapsed_s: float
    eta_s: float
    """Estimated seconds to the end, 0 while nothing is known."""
    current: str
    """What is being measured, as text."""
    cases: list[Case]
    """Ordered by size, then by transport."""


class Run:
    """A benchmark that runs. It is a context manager that stops it. Methods may be called from any thread.

    :raises InvalidOption: something in the configuration cannot be; the message says what.
    """

    def __init__(self, config: Config) -> None:
        self._core = core()
        request = {
            "transports": list(config.transports),
            "sizes": list(config.sizes),
            "duration_ms": config.duration_ms,
            "rounds": config.rounds,
            "inflight": config.inflight,
            "spin": config.spin,
            "rate": config.rate,
            "warmup_ms": config.warmup_ms,
            "pin": config.pin,
            "peer_command": [sys.executable, "-m", "nanorpc._peer"],
        }
        self._handle: int = checked(self._core.pycore_BenchStart(json.dumps(request)))

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def poll(self) -> Snapshot:
        """Return what has been measured up to now. Does not block."""
        text = self._core.pycore_BenchPoll(self._handle)
        if not text:
            raise NanoRPCError("the benchmark has been closed")
        answer: dict[str, Any] = json.loads(text)
        current = answer["current"]
        return Snapshot(
            state=answer["state"],
            error=answer["error"],
            fraction=answer["fraction"],
            elapsed_s=answer["elapsed_s"],
            eta_s=answer["eta_s"],
            current=f"round {current['round']}: {current['transport']}, {size_text(current['size_bytes'])}" if current else "",
            cases=[Case(**case) for case in answer["cases"]],
        )

    def stop(self) -> None:
        """Ask the run to stop, and return at once. What has been measured stays."""
        self._core.pycore_BenchStop(self._handle)

    def close(self) -> None:
        """Stop the run, wait until its peers have ended (well under a second), and drop its figures. Closing again does nothing."""
        self._core.pycore_BenchForget(self._handle)
