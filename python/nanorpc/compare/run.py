"""Measures contenders in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event

from nanorpc.compare.contenders import Contender, sizes_of
from nanorpc.compare.pair import Measure, pair
from nanorpc.compare.result import Result
from nanorpc.errors import NanoRPCError
from nanorpc.units import size_text


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    contenders: Sequence[Contender]
    sizes: Sequence[int] = ()
    """Payload sizes in bytes; the case's own if there are none. Contenders may have others."""
    duration: float = 0.3
    """Seconds for each contender, size and round, but for those with more patience."""
    rounds: int = 5


class Comparison:
    """Measures what is planned, a case after the other. In each round all contenders of the case take turns."""

    def __init__(self, plan: Plan, progress: Callable[[str], None], failed: Callable[[Contender, str], None], stopped: Event | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._failed = failed
        self._stopped = stopped or Event()
        self._results: list[Result] = []
        self.turn: Contender | None = None
        """Whose turn it is; None while contenders are started, each of which then stays."""

    @property
    def results(self) -> list[Result]:
        """What has been measured up to now, in the order of the table."""
        return [result for result in self._results if result.rounds]

    def run(self) -> None:
        """Measure. Blocks until all is done. ``progress`` is told before each measurement, and ``failed`` of contenders that go no further, and why.

        Interrupted, it ends the processes, and what has been measured stays. Stopped is raised soon after the event has been set.
        """
        for case in dict.fromkeys(contender.case for contender in self._plan.contenders):
            self._measure([contender for contender in self._plan.contenders if contender.case == case])

    def _measure(self, contenders: list[Contender]) -> None:
        sizes = {c: c.sizes or sizes_of(c.case, self._plan.sizes) for c in contenders}
        every = sorted({size for those in sizes.values() for size in those}, key=self._place)
        rows = {(size, c): Result.of(c, size) for size in every for c in contenders if size in sizes[c]}
        self._results += rows.values()
        with ExitStack() as stack:
            running: dict[Contender, Measure | None] = {}
            self.turn = None
            for contender in contenders:
                with self._failing(contender, running):
                    running[contender] = self._started(contender, max(sizes[contender]), stack) if contender.stays else None
            for round_ in range(self._plan.rounds):
                for (size, contender), row in rows.items():
                    if contender not in running:
                        continue
                    self.turn = contender
                    self._progress(f"{contender.case}, round {round_ + 1} of {self._plan.rounds}: {contender.name}, {size_text(size)}")
                    with self._failing(contender, running), ExitStack() as turn:
                        measure = running[contender] or self._started(contender, size, turn)
                        row.rounds.append(measure(size, self._plan.duration * contender.patience))

    def _place(self, size: int) -> int:
        """Return where a size comes: those of the plan as they are given."""
        return self._plan.sizes.index(size) if size in self._plan.sizes else size

    def _started(self, contender: Contender, max_size: int, stack: ExitStack) -> Measure:
        if contender.stays:
            self._progress(f"starting {contender.name}")
        return stack.enter_context(pair(contender, max_size, self._stopped))

    @contextmanager
    def _failing(self, contender: Contender, running: dict[Contender, Measure | None]) -> Iterator[None]:
        """Take a contender that fails out of the race."""
        try:
            yield
        except NanoRPCError as error:
            running.pop(contender, None)
            self._failed(contender, str(error))
