"""Measures contenders in rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

from nanorpc.compare.contenders import Contender, sizes_of
from nanorpc.compare.pair import pair
from nanorpc.compare.result import Result
from nanorpc.compare.timing import Figures
from nanorpc.errors import NanoRPCError
from nanorpc.units import size_text


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    contenders: Sequence[Contender]
    sizes: Sequence[int] = ()
    """Payload sizes in bytes; the case's own if there are none."""
    duration: float = 0.3
    """Seconds for each contender, size and round."""
    rounds: int = 5


class Comparison:
    """Measures what is planned, a case after the other. In each round all contenders of the case take turns."""

    def __init__(self, plan: Plan, progress: Callable[[str], None], failed: Callable[[Contender, str], None], stopped: Event | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._failed = failed
        self._stopped = stopped or Event()
        self._results: list[Result] = []

    @property
    def results(self) -> list[Result]:
        """What has been measured up to now, in the order of the table."""
        return [result for result in self._results if result.rounds]

    def run(self) -> None:
        """Measure. Blocks until all is done. ``progress`` is told before each measurement, and ``failed`` of contenders that go no further, and why.

        Interrupted, it ends the processes, and what has been measured stays. Stopped is raised soon after the event has been set.
        """
        for case in dict.fromkeys(contender.case for contender in self._plan.contenders):
            self._measure([contender for contender in self._plan.contenders if contender.case == case], sizes_of(case, self._plan.sizes))

    def _measure(self, contenders: list[Contender], sizes: list[int]) -> None:
        rows = {(size, c): Result(c.case, c.name, size, c.inflight) for size in sizes for c in contenders}
        self._results += rows.values()
        with ExitStack() as stack:
            running: dict[Contender, Callable[[int, float], Figures]] = {}
            for contender in contenders:
                self._progress(f"starting {contender.name}")
                try:
                    running[contender] = stack.enter_context(pair(contender, max(sizes), self._stopped))
                except NanoRPCError as error:
                    self._failed(contender, str(error))
            for round_ in range(self._plan.rounds):
                for (size, contender), row in rows.items():
                    if contender not in running:
                        continue
                    self._progress(f"{contender.case}, round {round_ + 1} of {self._plan.rounds}: {contender.name}, {size_text(size)}")
                    try:
                        row.rounds.append(running[contender](size, self._plan.duration))
                    except NanoRPCError as error:
                        del running[contender]
                        self._failed(contender, str(error))
