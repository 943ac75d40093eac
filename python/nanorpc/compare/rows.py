"""The lines of results.jsonl."""

from __future__ import annotations

from statistics import median
from typing import Any

from nanorpc.compare.contenders import IDLE
from nanorpc.compare.result import Result
from nanorpc.compare.timing import merged


def row(result: Result) -> dict[str, Any]:
    """Return a result, of one round at least, as a line. CPU times are per call; all but sums are medians of the rounds."""
    who = {"case": result.case, "contender": result.contender, "language": result.language}
    if result.case == IDLE:
        shares = {name: result.median(name) for name in ("server_cpu_share", "clients_cpu_share")}
        return {**who, "clients": result.clients, "rounds": len(result.rounds), **shares}
    low, high = result.spread()
    cpu = {name: median(round_[name] / round_["calls"] for round_ in result.rounds) for name in ("client_cpu_ns", "server_cpu_ns")}
    first_error = next((round_["first_error"] for round_ in result.rounds if "first_error" in round_), None)
    return {
        **who,
        "size_bytes": result.size_bytes,
        "clients": result.clients,
        "inflight": result.inflight,
        "rate": result.rate,
        "calls": result.total("calls"),
        "errors": result.total("errors"),
        **({"first_error": first_error} if first_error else {}),
        "rounds": len(result.rounds),
        "mean_ns": result.median("mean_ns"),
        "p50_ns": result.median("p50_ns"),
        "p50_low_ns": low,
        "p50_high_ns": high,
        "p99_ns": result.median("p99_ns"),
        "p999_ns": result.median("p999_ns"),
        "calls_per_s": result.median("calls_per_s"),
        **cpu,
        "distribution": merged(round_["distribution"] for round_ in result.rounds),
        "round_p50_ns": [round_["p50_ns"] for round_ in result.rounds],
    }
