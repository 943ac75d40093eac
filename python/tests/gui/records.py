"""Runs to show, with figures that follow from their arguments."""

from __future__ import annotations

from collections.abc import Sequence

from nanorpc.bench import Case
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.record import Record

MACHINE = {"host": "test", "kernel": "Linux 6.1", "processor": "2 × Chip", "governor": "performance", "nanorpc": "0.1.0", "python": "3.11"}


def case(transport: str, size: int, rounds: Sequence[float], inflight: int = 1) -> Case:
    """A case with these p50 in its rounds, in ns, of 99 calls at that time and one at ten times that."""
    p50 = sorted(rounds)[len(rounds) // 2]
    figures = {"calls": 100, "mean_ns": p50, "p50_ns": p50, "p99_ns": p50 * 2, "p999_ns": p50 * 10, "calls_per_s": 1e9 / p50 * inflight, "errors": 0}
    return Case(
        transport,
        size,
        inflight,
        **figures,  # type: ignore[arg-type]
        rounds=len(rounds),
        p50_low_ns=min(rounds),
        p50_high_ns=max(rounds),
        round_p50_ns=list(rounds),
        distribution=[[int(p50), 99], [int(p50 * 10), 1]],
    )


def record(started: str = "2025-03-04T10:11:12+00:00", factor: float = 1, sizes: Sequence[int] = (64, 4096), note: str = "") -> Record:
    """A run in which nanorpc takes 1 µs × factor at the first size, and uds 20."""
    cases = []
    for i, size in enumerate(sizes):
        cases += [
            case("limit", size, [200, 250, 300]),
            case("nanorpc", size, [factor * (i + 1) * ns for ns in (900, 1000, 1200)]),
            case("uds", size, [(i + 1) * ns for ns in (18_000, 20_000, 30_000)]),
        ]
    return Record(Plan(("limit", "nanorpc", "uds"), tuple(sizes), rounds=3), tuple(cases), started, 12.5, "done", MACHINE, note)
