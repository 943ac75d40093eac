"""The bars that NanoRPC is held to, and whether a comparison's rows meet them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nanorpc.compare.report.rows import IDLE, Comparison, Group, Row, reference
from nanorpc.reports.ratio import Ratio, number_text, ratio
from nanorpc.units import time_text

LATENCY = ("echo", "rate", "typed", "array")
"""Cases in which the time of a call is what counts."""

THROUGHPUT = ("inflight", "clients")
"""Cases in which the number of calls is."""

_TIMES = 25
_NEAR_FLOOR = 1.3
_SMALL, _LARGE, _HUGE = 64, 1 << 20, 16 << 20
_SLOW_RATE = 1000
_LOAN, _COPY, _FLOOR = "nanorpc-loan", "nanorpc", "limit-copy"
_BLOCKING = "uds"


@dataclass(frozen=True)
class Check:
    """One comparison of NanoRPC with something else."""

    met: bool
    margin: float
    """How many times as good as it has to be; under 1 it is not met."""
    figure: str
    """What decides it."""
    only_with: str = ""
    """The NanoRPC contender that meets it where ordinary calls do not."""


@dataclass(frozen=True)
class Bar:
    """One bar, in one language."""

    title: str
    language: str
    checks: Sequence[Check]
    losses: Sequence[str] = field(default=())
    """Sentences on where ordinary calls do not meet it."""
    missing: Sequence[str] = field(default=())
    """What would have to be measured for it and is not there."""

    @property
    def lost(self) -> bool:
        """Whether it is not met, whatever has not been measured."""
        return not all(check.met for check in self.checks)

    @property
    def verdict(self) -> str:
        """Whether it is met. It is not said to be where something is missing."""
        if self.lost:
            return "NOT MET"
        if not self.checks:
            return "not measured"
        if self.missing:
            return "met as far as measured"
        others = sorted({check.only_with for check in self.checks} - {""})
        return f"met, in part only with {' and '.join(others)}" if others else "met"

    @property
    def figure(self) -> str:
        """The closest of its comparisons, or the worst, and what is missing."""
        closest = min(self.checks, key=lambda check: (check.met, check.margin), default=None)
        parts = [closest.figure] if closest else []
        if len(self.checks) > 1:
            lost = sum(not check.met for check in self.checks)
            parts.append(f"{lost} of {len(self.checks)} comparisons are lost" if lost else f"the closest of {len(self.checks)} comparisons")
        return "; ".join([*parts, *(f"not measured: {name}" for name in self.missing)])


def bars(comparison: Comparison) -> list[Bar]:
    """Return all bars, those of a language together."""
    return [bar for language in comparison.languages() for bar in _bars(comparison, language)]


def _bars(comparison: Comparison, language: str) -> Iterator[Bar]:
    latency = comparison.groups(LATENCY, language)
    sizes = {group.size_bytes: rows for group, rows in latency.items() if group.case == "echo"}
    small, large, huge = (sizes.get(size, []) for size in (_SMALL, _LARGE, _HUGE))
    slow = next((rows for group, rows in latency.items() if group.case == "rate" and group.rate == _SLOW_RATE), [])
    yield _ahead("Ahead of every peer in every latency case (p50)", language, latency, _TIME)
    yield _ahead("Ahead of every peer in throughput", language, comparison.groups(THROUGHPUT, language), _CALLS)
    yield _many_times("64 B", language, small, reference(small, language))
    yield _many_times("16 MiB with loans", language, huge, _find(huge, _LOAN, language))
    yield _near_floor(language, large)
    yield _cpu(language, slow)
    yield _idle(language, comparison.of(IDLE, language))


def behind_at_p99(comparison: Comparison) -> list[str]:
    """Return sentences on peers that are ahead at the 99th percentile of a latency case, whatever the p50 says."""
    found = []
    for language in comparison.languages():
        for group, rows in comparison.groups(LATENCY, language).items():
            if ours := reference(rows, language):
                ahead = sorted((row for row in rows if row.peer and 0 < row.p99_ns < ours.p99_ns), key=lambda row: row.p99_ns)
                peers = ", ".join(f"{row.contender} {time_text(row.p99_ns)}" for row in ahead)
                found += [f"{language}, {group.text}: {ours.contender} {time_text(ours.p99_ns)}, {peers}."] if peers else []
    return found


def times_as_long(row: Row, other: Row) -> Ratio:
    """Return how many times as long the p50 of one is, and the least and the greatest in a round."""
    value = row.p50_ns / other.p50_ns
    rounds = ratio(row.round_p50_ns, other.round_p50_ns)
    return Ratio(value, rounds.low, rounds.high) if rounds else Ratio(value, value, value)


def times_as_many(row: Row, other: Row) -> float:
    """Return how many times as many calls a second one makes."""
    return row.calls_per_s / other.calls_per_s


@dataclass(frozen=True)
class _Measure:
    """What two contenders are compared by."""

    times: Callable[[Row, Row], tuple[float, str]]
    """How many times as good the first is, also as text."""
    text: Callable[[Row], str]
    verb: str


def _faster(ours: Row, peer: Row) -> tuple[float, str]:
    times = times_as_long(peer, ours)
    return times.value, times.text


def _more(ours: Row, peer: Row) -> tuple[float, str]:
    times = times_as_many(ours, peer)
    return times, number_text(times)


_TIME = _Measure(_faster, lambda row: time_text(row.p50_ns), "takes")
_CALLS = _Measure(_more, lambda row: f"{row.calls_per_s:,.0f} calls/s", "makes")


def _ahead(title: str, language: str, groups: Mapping[Group, Sequence[Row]], measure: _Measure) -> Bar:
    checks: list[Check] = []
    losses: list[str] = []
    missing: list[str] = []
    for group, rows in groups.items():
        ours = reference(rows, language)
        peers = [row for row in rows if row.peer]
        if not ours or not peers:
            missing.append(f"{group.text}, {'peers' if ours else 'NanoRPC'}")
            continue
        where = f"{language}, {group.text}: {ours.contender}"
        behind = [peer for peer in peers if measure.times(ours, peer)[0] <= 1]
        others = [row for row in rows if row.ours and row is not ours]
        rescuer = next((other for other in others if all(measure.times(other, peer)[0] > 1 for peer in behind)), None) if behind else None
        for peer in peers:
            best = rescuer if rescuer and peer in behind else ours
            times, text = measure.times(best, peer)
            figure = f"{group.text}, {best.contender} against {peer.contender}: {text} ×"
            checks.append(Check(times > 1, times, figure, "" if best is ours else best.contender))
        if behind:
            ahead = ", ".join(f"{peer.contender} {measure.text(peer)}" for peer in behind)
            only = f" Only {rescuer.contender} is ahead: it {measure.verb} {measure.text(rescuer)}." if rescuer else ""
            losses.append(f"{where} {measure.verb} {measure.text(ours)}, behind {ahead}.{only}")
        if not ours.kept_rate:
            losses.append(f"{where} falls behind, with {ours.calls_per_s:,.0f} calls/s.")
            checks.append(Check(False, ours.calls_per_s / group.rate, f"{group.text}: {ours.contender} makes {ours.calls_per_s:,.0f}"))
    return Bar(title, language, checks, losses, missing)


def _many_times(where: str, language: str, rows: Sequence[Row], ours: Row | None) -> Bar:
    title = f"At {where} at least {_TIMES} × as fast as every peer that goes through the kernel"
    peers = [row for row in rows if row.kernel]
    if not ours or not peers:
        return Bar(title, language, (), (), [where])
    times = {peer.contender: _faster(ours, peer) for peer in peers}
    checks = [Check(value >= _TIMES, value / _TIMES, f"{ours.contender} against {name}: {text} ×") for name, (value, text) in times.items()]
    close = ", ".join(f"{name} {number_text(value)} ×" for name, (value, _) in times.items() if value < _TIMES)
    return Bar(title, language, checks, [f"{language}, {where}: {ours.contender} is less than {_TIMES} × as fast as {close}."] if close else [])


def _near_floor(language: str, rows: Sequence[Row]) -> Bar:
    ours, floor = _find(rows, _COPY, language), _find(rows, _FLOOR)
    title = f"At 1 MiB with copies within {_NEAR_FLOOR} × of two processes that only spin and copy"
    if not ours or not floor:
        return Bar(title, language, (), (), [name for name, row in ((_COPY, ours), (_FLOOR, floor)) if not row])
    times = times_as_long(ours, floor)
    met = times.value <= _NEAR_FLOOR
    figures = f"{ours.contender} takes {time_text(ours.p50_ns)}, {floor.contender} {time_text(floor.p50_ns)}: {times.text} ×"
    return Bar(title, language, [Check(met, _NEAR_FLOOR / times.value, figures)], [] if met else [f"{language}, {ours.group.text}: {figures}."])


def _find(rows: Sequence[Row], name: str, language: str | None = None) -> Row | None:
    return next((row for row in rows if row.contender == name and language in (None, row.language)), None)


def _cpu(language: str, rows: Sequence[Row]) -> Bar:
    title = f"CPU time of a call at {_SLOW_RATE:,} calls/s no more than that of the best peer"
    peers = [row for row in rows if row.peer and row.kept_rate]
    return _least(
        title, f"{_SLOW_RATE:,} calls/s", language, reference(rows, language), peers, lambda row: row.cpu_ns, time_text, "of CPU time a call"
    )


def _idle(language: str, rows: Sequence[Row]) -> Bar:
    title = "Idle CPU no more than that of a plain blocking socket"
    peers = [row for row in rows if row.contender == _BLOCKING]
    return _least(title, IDLE, language, reference(rows, language), peers, lambda row: row.idle_share, share_text, "of one CPU")


def _least(
    title: str,
    where: str,
    language: str,
    ours: Row | None,
    peers: Sequence[Row],
    cost: Callable[[Row], float | None],
    text: Callable[[float], str],
    unit: str,
) -> Bar:
    costs = {row.contender: value for row in peers if (value := cost(row)) is not None}
    value = cost(ours) if ours else None
    if ours is None or value is None or not costs:
        there = {f"NanoRPC, {where}": value is not None, f"peers, {where}": bool(costs)}
        return Bar(title, language, (), (), [name for name in there if not there[name]])
    best = min(costs, key=lambda name: costs[name])
    met = value <= costs[best]
    figures = f"{ours.contender} {text(value)}, {best} {text(costs[best])} {unit}"
    return Bar(title, language, [Check(met, costs[best] / value if value else 2, figures)], [] if met else [f"{language}, {where}: {figures}."])


def share_text(share: float) -> str:
    """Return a part of one CPU."""
    return f"{share * 100:.3g} %"
