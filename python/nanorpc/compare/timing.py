"""Calls and how long they take, in a closed loop: the next call begins when the last has ended. Replies are checked outside the timed part."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import ceil, log2
from statistics import mean
from typing import Any, TypeVar

Figures = dict[str, Any]
"""A round's numbers: ``calls``, ``errors``, which are wrong replies, ``mean_ns``, ``p50_ns``, ``p99_ns``, ``p999_ns`` and ``calls_per_s``.

Also ``distribution``, a list of pairs, ascending: a time in ns, and how many calls took at most that and longer than the pair before.
"""

_BUCKETS_PER_OCTAVE = 16
"""As in ``./benchmark``."""

Request = TypeVar("Request")

_WARM_UP_CALLS = 200
_WARM_UP_SHARE = 0.5  # of the duration, at most: for calls that take long


def closed_loop(
    call: Callable[[Request], object], requests: Sequence[Request], replies: Sequence[object], duration: float, calls: int = 1
) -> Figures:
    """Call with the requests in turn for a number of seconds, after a warm-up that takes half as long at most, and compare with the replies.

    :param calls: how many calls one of ``call`` is; times are then of one, as its share. An error is one wrong reply to ``call``.
    """
    clock = time.perf_counter_ns
    count = len(requests)
    end = clock() + int(duration * _WARM_UP_SHARE * 1e9)
    for i in range(_WARM_UP_CALLS):
        call(requests[i % count])
        if clock() > end:
            break
    times: list[int] = []
    errors = 0
    end = clock() + int(duration * 1e9)
    now = 0
    while now < end:
        i = len(times) % count
        request = requests[i]
        start = clock()
        reply = call(request)
        now = clock()
        times.append(now - start)
        if reply != replies[i]:
            errors += 1
    return figures(times, errors, calls)


def figures(times: list[int], errors: int, calls: int = 1, elapsed_ns: int | None = None) -> Figures:
    """Return the figures of a round.

    :param times: in ns, of which there is at least one. They are sorted in place.
    :param errors: how many replies were wrong.
    :param calls: how many calls each time is of.
    :param elapsed_ns: how long they took in all, where several were on their way at once; else the sum of the times.
    """
    times.sort()
    last = len(times) - 1
    return {
        "calls": len(times) * calls,
        "errors": errors,
        "mean_ns": mean(times) / calls,
        "p50_ns": times[last // 2] / calls,
        "p99_ns": times[int(last * 0.99)] / calls,
        "p999_ns": times[int(last * 0.999)] / calls,
        "calls_per_s": len(times) * calls / (elapsed_ns or max(sum(times), 1)) * 1e9,
        "distribution": _distribution(times, calls),
    }


def _distribution(times: Sequence[int], calls: int) -> list[list[int]]:
    counts = Counter(ceil(_BUCKETS_PER_OCTAVE * log2(max(time_ / calls, 1))) for time_ in times)
    return [[int(2 ** (bucket / _BUCKETS_PER_OCTAVE)), count * calls] for bucket, count in sorted(counts.items())]
