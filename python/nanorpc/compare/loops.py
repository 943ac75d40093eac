"""How the clients are called. Each loop is a context manager that connects, and gives out what measures a round: for so many seconds, at a size."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nanorpc.compare.contenders import BATCH, FLOAT_SIZE
from nanorpc.compare.timing import Figures, closed_loop, figures
from nanorpc.peers.interface import AsyncEcho, Halve

Round = Callable[[int, float], Figures]
Loop = Callable[[Any, Path, int], AbstractContextManager[Round]]
"""Takes a module of :mod:`nanorpc.peers`, the directory of the sockets, and how many calls are to be in flight."""

_DIFFERENT = 8  # payloads


@contextmanager
def _echo(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.echo(directory) as call:

        def measure(size: int, duration: float) -> Figures:
            requests = _payloads(size)
            return closed_loop(call, requests, requests, duration)

        yield measure


@contextmanager
def _typed(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.typed(directory) as add:
        numbers = [(2 + i, 3) for i in range(_DIFFERENT)]
        yield lambda size, duration: closed_loop(lambda pair: add(*pair), numbers, [a + b for a, b in numbers], duration)


@contextmanager
def _batch(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.batch(directory) as call:

        def measure(size: int, duration: float) -> Figures:
            payloads = _payloads(size)
            batches = [[payloads[(i + j) % _DIFFERENT] for j in range(BATCH)] for i in range(_DIFFERENT)]
            return closed_loop(call, batches, batches, duration, BATCH)

        yield measure


@contextmanager
def _aio(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    loop = asyncio.new_event_loop()
    client = peer.aio(directory)
    call = loop.run_until_complete(client.__aenter__())
    try:
        yield lambda size, duration: loop.run_until_complete(_tasks(call, size, duration, inflight))
    finally:
        loop.run_until_complete(client.__aexit__(None, None, None))
        loop.close()


async def _tasks(call: AsyncEcho, size: int, duration: float, inflight: int) -> Figures:
    """Measure tasks, each of which calls again when it has its reply. A task's comparison is in the time of the others' calls."""
    clock = time.perf_counter_ns
    payloads = _payloads(size)
    times: list[int] = []
    errors = 0

    async def caller(first: int, end: int) -> None:
        nonlocal errors
        now = 0
        i = first
        while now < end:
            request = payloads[i % _DIFFERENT]
            i += 1
            start = clock()
            reply = await call(request)
            now = clock()
            times.append(now - start)
            if reply != request:
                errors += 1

    async def callers(duration: float) -> int:
        times.clear()
        start = clock()
        await asyncio.gather(*(caller(i, start + int(duration * 1e9)) for i in range(inflight)))
        return clock() - start

    await callers(duration / 10)  # to warm up
    elapsed = await callers(duration)
    return figures(times, errors, elapsed_ns=elapsed)


@contextmanager
def _array(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.array(directory) as halve:
        yield lambda size, duration: _halve(halve, size // FLOAT_SIZE, duration)


def _halve(halve: Halve, count: int, duration: float) -> Figures:
    """Measure calls that halve an array. To write the numbers and to read their halves is not timed, and is part of the duration."""
    import numpy as np

    clock = time.perf_counter_ns
    numbers = np.arange(count, dtype=np.float32)
    halves = numbers / np.float32(2)
    times: list[int] = []
    errors = 0

    def once() -> None:
        nonlocal errors
        start = clock()
        request = halve.begin(count)
        taken = clock() - start
        request[:] = numbers
        del request  # what is sent has no views any more
        start = clock()
        reply = halve.run()
        taken += clock() - start
        if not np.array_equal(reply, halves):
            errors += 1
        del reply  # nor has what is given back
        start = clock()
        halve.end()
        times.append(taken + clock() - start)

    once()  # memory is new to both processes
    once()
    times.clear()
    end = clock() + int(duration * 1e9)
    while not times or clock() < end:
        once()
    return figures(times, errors)


@contextmanager
def _floor(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.floor(directory) as measure:
        yield lambda size, duration: {**(figures := measure(size, duration)), "calls_per_s": 1e9 / figures["mean_ns"]}


def _payloads(size: int) -> list[bytes]:
    return [os.urandom(size) for _ in range(_DIFFERENT)]


LOOPS: Mapping[str, Loop] = MappingProxyType({"echo": _echo, "typed": _typed, "batch": _batch, "aio": _aio, "array": _array, "floor": _floor})
"""By the names of the clients' context managers."""
