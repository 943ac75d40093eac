"""How the clients are called. Each loop is a context manager that connects, and gives out what measures a round."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nanorpc.compare.contenders import BATCH, FLOAT_SIZE
from nanorpc.compare.timing import ALL, Command, Figures, Phase, measure, measure_one, serial
from nanorpc.peers.interface import Arrays, AsyncEcho, Pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Round = Callable[[Command], Figures]
Loop = Callable[[Any, Path, int], AbstractContextManager[Round]]
"""Takes a module of :mod:`nanorpc.peers`, the directory of the sockets, and how many calls are to be in flight."""

_DIFFERENT = 8  # payloads
_STAMP = 16  # bytes, as in go/bench


def _one_call_at_a_time(call: Callable[[Any], object], requests: Sequence[Any], command: Command) -> Figures:
    return measure_one(call, requests, requests, command)


@contextmanager
def _echo(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.echo(directory) as call:
        yield lambda command: _one_call_at_a_time(call, _payloads(command.size), command)


@contextmanager
def _stamps(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.stamps(directory) as call:

        def round_(command: Command) -> Figures:
            size = command.size
            return _one_call_at_a_time(lambda stamp: call(size, stamp), _payloads(min(size, _STAMP)), command)

        yield round_


@contextmanager
def _typed(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.typed(directory) as add:
        numbers = [(2 + i, 3) for i in range(_DIFFERENT)]
        sums = [a + b for a, b in numbers]
        yield lambda command: measure_one(lambda pair: add(*pair), numbers, sums, command)


def _batches(shared: bool) -> Loop:
    @contextmanager
    def loop(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
        with peer.batch(directory) as call:

            def round_(command: Command) -> Figures:
                payloads = _payloads(command.size)
                batches = [[payloads[(i + j) % _DIFFERENT] for j in range(BATCH)] for i in range(_DIFFERENT)]
                return measure(serial(call, batches, batches), command, calls=BATCH, shared=shared)

            yield round_

    return loop


@contextmanager
def _pipeline(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.pipeline(directory, inflight) as pipeline:
        yield lambda command: measure(_flow(pipeline, _payloads(command.size), inflight), command, concurrent=True)


def _flow(pipeline: Pipeline, payloads: Sequence[bytes], inflight: int) -> Phase:
    """Return the phase of so many callers, each of whom calls again when it has its reply, all in one thread. Replies come in the order of
    requests.
    """
    clock = time.perf_counter_ns

    def phase(end: int, most: int) -> tuple[list[int], int]:
        times: list[int] = []
        errors = 0
        sent: deque[tuple[int, bytes]] = deque()
        begun = 0
        now = 0
        while sent or now < end:
            while len(sent) < inflight and now < end and begun < most:
                request = payloads[begun % _DIFFERENT]
                begun += 1
                sent.append((clock(), request))
                pipeline.send(request)
            if not sent:
                break
            start, request = sent.popleft()
            reply = pipeline.receive()
            now = clock()
            times.append(now - start)
            if reply != request:
                errors += 1
        return times, errors

    return phase


@contextmanager
def _threads(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with ExitStack() as stack:
        calls = [stack.enter_context(peer.echo(directory)) for _ in range(inflight)]

        def round_(command: Command) -> Figures:
            payloads = _payloads(command.size)
            return measure(_together([serial(call, payloads, payloads) for call in calls]), command, concurrent=True)

        yield round_


def _together(phases: Sequence[Phase]) -> Phase:
    """Return a phase of several, each in a thread."""

    def phase(end: int, most: int) -> tuple[list[int], int]:
        results: list[tuple[list[int], int]] = []
        failures: list[BaseException] = []

        def run(one: Phase) -> None:
            try:
                results.append(one(end, max(most // len(phases), 1)))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in phases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return [time_ for times, _ in results for time_ in times], sum(errors for _, errors in results)

    return phase


@contextmanager
def _aio(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    loop = asyncio.new_event_loop()
    client = peer.aio(directory)
    call = loop.run_until_complete(client.__aenter__())
    try:

        def round_(command: Command) -> Figures:
            payloads = _payloads(command.size)

            def phase(end: int, most: int) -> tuple[list[int], int]:
                return loop.run_until_complete(_tasks(call, payloads, inflight, end, most))

            return measure(phase, command, concurrent=True)

        yield round_
    finally:
        loop.run_until_complete(client.__aexit__(None, None, None))
        loop.close()


async def _tasks(call: AsyncEcho, payloads: Sequence[bytes], inflight: int, end: int, most: int) -> tuple[list[int], int]:
    """Run tasks, each of which calls again when it has its reply. A task's comparison is in the time of the others' calls."""
    clock = time.perf_counter_ns
    times: list[int] = []
    errors = 0

    async def caller(i: int) -> None:
        nonlocal errors
        now = 0
        while now < end and len(times) < most:
            request = payloads[i % _DIFFERENT]
            i += 1
            start = clock()
            reply = await call(request)
            now = clock()
            times.append(now - start)
            if reply != request:
                errors += 1

    await asyncio.gather(*map(caller, range(inflight)))
    return times, errors


@contextmanager
def _halved(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.array(directory) as arrays:
        yield lambda command: _arrays(arrays, command, 0.5)


@contextmanager
def _mirrored(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.mirror(directory) as arrays:
        yield lambda command: _arrays(arrays, command, 1)


def _arrays(arrays: Arrays, command: Command, factor: float) -> Figures:
    import numpy as np

    numbers = np.arange(command.size // FLOAT_SIZE, dtype=np.float32)
    return measure(_in_place(arrays, numbers, numbers * np.float32(factor)), command)


def _in_place(arrays: Arrays, numbers: NDArray[np.float32], expected: NDArray[np.float32]) -> Phase:
    """Return the phase of calls with an array. To write the numbers and to compare those of the reply is not timed, and is part of the phase."""
    import numpy as np

    clock = time.perf_counter_ns

    def once() -> tuple[int, bool]:
        start = clock()
        request = arrays.begin(numbers.size)
        taken = clock() - start
        request[:] = numbers
        del request  # what is sent has no views any more
        start = clock()
        reply = arrays.run()
        taken += clock() - start
        right = np.array_equal(reply, expected)
        del reply  # nor has what is given back
        start = clock()
        arrays.end()
        return taken + clock() - start, right

    def phase(end: int, most: int) -> tuple[list[int], int]:
        if most < ALL:  # the warm-up: memory is new to both processes
            once()
        times: list[int] = []
        errors = 0
        while not times or (clock() < end and len(times) < most):
            time_, right = once()
            times.append(time_)
            errors += not right
        return times, errors

    return phase


@contextmanager
def _floor(peer: Any, directory: Path, inflight: int) -> Iterator[Round]:
    with peer.floor(directory) as floor:
        yield lambda command: {**(figures := floor(command.size, command.duration)), "calls_per_s": 1e9 / figures["mean_ns"]}


def _payloads(size: int) -> list[bytes]:
    return [os.urandom(size) for _ in range(_DIFFERENT)]


LOOPS: Mapping[str, Loop] = MappingProxyType(
    {
        "echo": _echo,
        "stamps": _stamps,
        "typed": _typed,
        "batch": _batches(shared=True),
        "batches": _batches(shared=False),
        "pipeline": _pipeline,
        "threads": _threads,
        "aio": _aio,
        "array": _halved,
        "mirror": _mirrored,
        "floor": _floor,
    }
)
"""By the names of the clients' context managers, but ``batches``, in which a call takes as long as its batch and not a share of that, and
``threads``, which have a connection each.
"""
