"""What one print of ``nanorpc stat`` says of a service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nanorpc.introspection import ConnectionStats, Counts, MethodStats, Stats, TimeBucket, percentile


@dataclass(frozen=True)
class Recent:
    """Calls of which a print says more than how many: of a watch those since the print before, else those since the server's start."""

    rate: float | None = None
    """Calls per second, in a watch and if there is a print before."""
    times: list[TimeBucket] = field(default_factory=list)

    def percentile(self, percent: float) -> int | None:
        """Return a time in ns in which so many of 100 calls were answered; None without calls."""
        return percentile(self.times, percent)


@dataclass(frozen=True)
class Sample:
    """What a server has said, and what it had said at the print before."""

    now: Stats
    before: Stats | None = None
    watch: bool = False

    @property
    def interval_ns(self) -> int:
        """The time between the two prints by the server's clock; 0 if there is one print only."""
        return max(self.now.uptime_ns - self.before.uptime_ns, 0) if self.before else 0

    def method(self, method: MethodStats) -> Recent:
        """Return what is recent of a method. One that was not listed before had no calls then."""
        return self._recent(method, next((m for m in self.before.methods if m.name == method.name), None) if self.before else None)

    def connection(self, connection: ConnectionStats) -> Recent:
        """Return what is recent of a connection. One that was not listed before is new, or had fewer calls than those that were."""
        earlier = next((c for c in self.before.connections if c.id == connection.id), None) if self.before else None
        if self.before and earlier is None and connection.age_ns > self.interval_ns:
            return Recent()
        return self._recent(connection, earlier)

    def service(self) -> float | None:
        """Return all methods' calls per second, or None if that is not known."""
        rates = [self.method(m).rate for m in self.now.methods]
        known = [r for r in rates if r is not None]
        return sum(known) if self.interval_ns and self.watch else None

    def _recent(self, now: Counts, before: Counts | None) -> Recent:
        if not self.watch:
            return Recent(times=now.times)
        if not self.interval_ns:
            return Recent()
        calls = max(now.calls - (before.calls if before else 0), 0)
        return Recent(calls / self.interval_ns * 1e9, since(now.times, before.times if before else []))


def since(now: Sequence[TimeBucket], before: Sequence[TimeBucket]) -> list[TimeBucket]:
    """Return the calls of a histogram that are not in an earlier one."""
    counted = dict(before)
    return [TimeBucket(below, calls - counted.get(below, 0)) for below, calls in now if calls > counted.get(below, 0)]
