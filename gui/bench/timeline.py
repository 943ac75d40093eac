"""How round-trip times have gone while a benchmark ran: what has come from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nanorpc.bench import Case, Snapshot

_MOST = 1000  # points of a line; then every second is dropped

Key = tuple[str, int, int, float]
"""Transport, size, in flight, rate."""


def key_of(case: Case) -> Key:
    """Return what tells a case from the others of a run."""
    return case.transport, case.size_bytes, case.inflight, case.rate


@dataclass(frozen=True)
class Point:
    """Calls that have come in between two looks."""

    at_s: float
    p50_ns: float
    p99_ns: float


class Timeline:
    """Points by case. Its size has a bound, however long the benchmark runs."""

    def __init__(self) -> None:
        self._seen: dict[Key, dict[int, int]] = {}
        self._calls: dict[Key, int] = {}
        self._points: dict[Key, list[Point]] = {}

    def add(self, snapshot: Snapshot) -> None:
        """Take what is new in a snapshot."""
        for case in snapshot.cases:
            key = key_of(case)
            if self._calls.get(key) == case.calls:  # most: one case is measured at a time
                continue
            self._calls[key] = case.calls
            seen = self._seen.get(key, {})
            now = {bucket[0]: bucket[1] for bucket in case.distribution}
            new = [(upper, count - seen.get(upper, 0)) for upper, count in now.items() if count > seen.get(upper, 0)]
            if not new:
                continue
            self._seen[key] = now
            points = self._points.setdefault(key, [])
            points.append(Point(snapshot.elapsed_s, percentile(new, 0.5), percentile(new, 0.99)))
            if len(points) > _MOST:
                del points[1:-1:2]

    def points(self, key: Key) -> tuple[Point, ...]:
        """Return the points of a case, in the order of time."""
        return tuple(self._points.get(key, ()))


def percentile(buckets: Sequence[Sequence[int]], share: float) -> float:
    """Return the time in which this share of the calls was answered, of a distribution with at least one."""
    total = sum(count for _, count in buckets)
    below = 0
    for upper, count in buckets:
        below += count
        if below >= total * share:
            return float(upper)
    return float(buckets[-1][0])
