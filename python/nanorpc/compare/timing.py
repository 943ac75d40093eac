"""Calls and how long they take. Replies are checked outside the timed part."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log2
from statistics import mean
from typing import Any, TypeVar

from nanorpc.compare.computing import computing

Figures = dict[str, Any]
"""A round's numbers: ``calls``, ``errors``, which are wrong replies, and then ``first_error``, ``mean_ns``, ``p50_ns``, ``p99_ns``, ``p999_ns``
and ``calls_per_s``.

Also ``distribution``, a list of pairs, ascending: a time in ns, and how many calls took at most that and longer than the pair before; and, in
all, the CPU time of the client's process, ``client_cpu_ns``, and of the server's, ``server_cpu_ns``, which are missing where nobody has measured
them.
"""

Phase = Callable[[int, int], "tuple[list[int], int]"]
"""Calls until a time of :func:`time.perf_counter_ns`, or so often, whichever comes first, but once at least. Returns the times in ns, and the
number of wrong replies.
"""

Request = TypeVar("Request")

ALL = 1 << 62
"""So many calls that only the time ends a phase."""

_BUCKETS_PER_OCTAVE = 16
"""As in ``./benchmark``."""

_WARM_UP_CALLS = 200
_WARM_UP_SHARE = 0.5  # of the duration, at most: for calls that take long

_WAKE_AHEAD = 100_000  # ns; a sleeping thread wakes some 50 µs late (the kernel's timer slack): the rest is waited for awake, as go/bench does


@dataclass(frozen=True)
class Command:
    """A round, as it is asked for."""

    size: int
    """Bytes of a request."""
    duration: float
    """Seconds."""
    rate: float = 0
    """Calls a second, which are due at even intervals, and timed from when they were due; 0: a closed loop, each begins when the last has ended."""
    start_ns: int = 0
    """When the measured part begins, by CLOCK_MONOTONIC; 0: when the warm-up has ended."""
    server_pid: int = 0
    """Whose CPU time to measure, beside the own; 0: nobody's."""
    linger: float = 0
    """Seconds of calls afterwards, which do not count: other clients may still be measuring."""
    computing: bool = False
    """Another thread of the client computes meanwhile. Its CPU time is not the calls'."""


class Waiting:
    """What a caller has done beside calls."""

    cpu_ns = 0
    """The CPU time of waiting awake for calls to be due."""


def measure(
    phase: Phase, command: Command, *, calls: int = 1, shared: bool = False, concurrent: bool = False, waiting: Waiting | None = None
) -> Figures:
    """Run a round: a warm-up, which takes half as long at most if no start is given, the measured part, and the rest.

    :param calls: how many calls each of the phase's times is of.
    :param shared: a call's time is its share of that, and not all of it.
    :param concurrent: the times overlap, so that they do not add up to how long all took.
    :param waiting: what the phase counts that is no part of the calls' CPU time.
    """
    waiting = waiting or Waiting()
    clock = time.perf_counter_ns  # CLOCK_MONOTONIC, as start_ns
    with computing(command.computing) as others:

        def used() -> tuple[int, int]:
            return time.process_time_ns() - waiting.cpu_ns - others(), cpu_of(command.server_pid)

        phase(clock() + int(command.duration * _WARM_UP_SHARE * 1e9), _WARM_UP_CALLS)
        if clock() < command.start_ns:
            phase(command.start_ns, ALL)
        (client, server), begin = used(), clock()
        times, errors = phase(begin + int(command.duration * 1e9), ALL)
        elapsed = clock() - begin
        client_end, server_end = used()
        if command.linger:
            phase(clock() + int(command.linger * 1e9), ALL)
    taken = {"client_cpu_ns": client_end - client, "server_cpu_ns": server_end - server}
    return {**figures(times, errors, calls, shared, elapsed if concurrent or command.rate else None), **taken}


def cpu_of(pid: int) -> int:
    """Return how much CPU time a process has used, in ns; nothing for pid 0. The clock is that of clock_getcpuclockid(3), as precise as one's own.

    :raises OSError: there is no such process.
    """
    return time.clock_gettime_ns((~pid << 3) | 2) if pid else 0


def measure_one(call: Callable[[Request], object], requests: Sequence[Request], replies: Sequence[object], command: Command) -> Figures:
    """Run a round of one caller, who calls with the requests in turn, at the command's rate, and compares with the replies."""
    waiting = Waiting()
    return measure(serial(call, requests, replies, command.rate, waiting), command, waiting=waiting)


def serial(
    call: Callable[[Request], object],
    requests: Sequence[Request],
    replies: Sequence[object],
    rate: float = 0,
    waiting: Waiting | None = None,
) -> Phase:
    """Return the phase of one caller, who calls with the requests in turn, and compares with the replies."""
    waited = waiting or Waiting()
    clock = time.perf_counter_ns
    count = len(requests)

    def closed(end: int, most: int) -> tuple[list[int], int]:
        times: list[int] = []
        errors = 0
        now = 0
        while now < end and len(times) < most:
            i = len(times) % count
            request = requests[i]
            start = clock()
            reply = call(request)
            now = clock()
            times.append(now - start)
            if reply != replies[i]:
                errors += 1
        return times, errors

    def paced(end: int, most: int) -> tuple[list[int], int]:
        times: list[int] = []
        errors = 0
        first = clock()
        while len(times) < most:
            # That a call begins late because those before it took long is a part of its time: no coordinated omission.
            due = first + int(len(times) * 1e9 / rate)
            if times and not _wait(due, end, waited):
                break
            i = len(times) % count
            reply = call(requests[i])
            times.append(clock() - due)
            if reply != replies[i]:
                errors += 1
        return times, errors

    return paced if rate else closed


def _wait(due: int, end: int, waiting: Waiting) -> bool:
    """Block until a call is due, and return whether that is before the end."""
    clock = time.perf_counter_ns
    if due >= end:
        return False
    while (left := due - clock()) > _WAKE_AHEAD:
        time.sleep((left - _WAKE_AHEAD) / 1e9)
    began = time.thread_time_ns()
    while clock() < due:
        time.sleep(0)  # the library's threads may run
    waiting.cpu_ns += time.thread_time_ns() - began
    return True


def closed_loop(call: Callable[[Request], object], requests: Sequence[Request], replies: Sequence[object], duration: float) -> Figures:
    """Call with the requests in turn for a number of seconds, after a warm-up, and compare with the replies."""
    return measure_one(call, requests, replies, Command(0, duration))


def figures(times: list[int], errors: int, calls: int = 1, shared: bool = False, elapsed_ns: int | None = None) -> Figures:
    """Return the figures of a round.

    :param times: in ns, of which there is at least one. They are sorted in place.
    :param errors: how many replies were wrong.
    :param calls: how many calls each time is of.
    :param shared: whether a call's time is its share of that.
    :param elapsed_ns: how long they took in all, where several were on their way at once; else the sum of the times.
    """
    times.sort()
    last = len(times) - 1
    among = calls if shared else 1
    return {
        "calls": len(times) * calls,
        "errors": errors,
        **({"first_error": "a reply was not what was expected"} if errors else {}),
        "mean_ns": mean(times) / among,
        "p50_ns": times[last // 2] / among,
        "p99_ns": times[int(last * 0.99)] / among,
        "p999_ns": times[int(last * 0.999)] / among,
        "calls_per_s": len(times) * calls / (elapsed_ns or max(sum(times), 1)) * 1e9,
        "distribution": _distribution(times, calls, among),
    }


def _distribution(times: Sequence[int], calls: int, among: int) -> list[list[int]]:
    counts: Counter[int] = Counter()
    for time_, count in Counter(times).items():  # few are different
        counts[ceil(_BUCKETS_PER_OCTAVE * log2(max(time_ / among, 1)))] += count * calls
    return [[int(2 ** (bucket / _BUCKETS_PER_OCTAVE)), count] for bucket, count in sorted(counts.items())]


def merged(distributions: Iterable[Sequence[Sequence[int]]]) -> list[list[int]]:
    """Return several distributions as one."""
    counts: Counter[int] = Counter()
    for distribution in distributions:
        for upper, count in distribution:
            counts[upper] += count
    return [[upper, count] for upper, count in sorted(counts.items())]


def of_all(clients: Sequence[Figures]) -> Figures:
    """Return the figures of clients that called at the same time as those of one. The percentiles are those of all calls, rounded up as in the
    distribution, which is by less than 5%; the server's CPU time, which each has measured for the same seconds, is the mean of what they say.
    """
    if len(clients) == 1:
        return clients[0]
    calls = sum(figures["calls"] for figures in clients)
    distribution = merged(figures["distribution"] for figures in clients)
    first_error = next((figures["first_error"] for figures in clients if "first_error" in figures), None)
    return {
        "calls": calls,
        "errors": sum(figures["errors"] for figures in clients),
        **({"first_error": first_error} if first_error else {}),
        "mean_ns": sum(figures["mean_ns"] * figures["calls"] for figures in clients) / calls,
        "p50_ns": _percentile(distribution, 0.5),
        "p99_ns": _percentile(distribution, 0.99),
        "p999_ns": _percentile(distribution, 0.999),
        "calls_per_s": sum(figures["calls_per_s"] for figures in clients),
        "distribution": distribution,
        "client_cpu_ns": sum(figures["client_cpu_ns"] for figures in clients),
        "server_cpu_ns": mean(figures["server_cpu_ns"] for figures in clients),
    }


def _percentile(distribution: Sequence[Sequence[int]], share: float) -> int:
    left = int((sum(count for _, count in distribution) - 1) * share)
    for upper, count in distribution:
        if left < count:
            return upper
        left -= count
    raise ValueError("an empty distribution")
