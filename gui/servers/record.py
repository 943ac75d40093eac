"""What is known of one server."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from nanorpc.commands.sample import Recent, Sample
from nanorpc.gui.servers.events import Answered, Described, Event, Gone, Silent
from nanorpc.introspection import MethodStats, ServiceInfo, TimeBucket

KEPT = 300
"""Points of a server's past: one a second."""

RESERVED = "nanorpc."
"""What the names of methods begin with that are asked by who watches."""


class State(Enum):
    """Whether a server does what it should. The value is what people read."""

    RUNNING = "running"
    SILENT = "not answering"
    GONE = "gone"


SIGNS = {State.RUNNING: "●", State.SILENT: "▲", State.GONE: "✕"}
"""Shapes, as not everybody sees colours."""


class Point(NamedTuple):
    """A second of the past."""

    at: float
    """Seconds of :func:`time.monotonic`."""
    rate: float
    """Calls per second."""
    p50_ns: float
    """NaN without calls."""
    p99_ns: float
    in_flight: int


@dataclass(eq=False)
class Record:
    """A server, and its last minutes."""

    key: int
    service: str
    state: State = State.RUNNING
    reason: str = ""
    """Why it is in that state."""
    info: ServiceInfo | None = None
    sample: Sample | None = None
    """Its last answer, and the one before; None before the first."""
    recent: Recent = field(default_factory=Recent)
    """All calls of the last second."""
    past: deque[Point] = field(default_factory=lambda: deque(maxlen=KEPT))
    recents: dict[str, Recent] = field(default_factory=dict)
    """Of each method the calls of the last second."""
    pasts: dict[str, deque[Point]] = field(default_factory=dict)
    """Of each method that has been called, :attr:`past`."""

    def take(self, event: Event) -> None:
        """Take in what has been told."""
        if isinstance(event, Gone):
            self._say_no_more(State.GONE, f"since {time.strftime('%H:%M:%S')}")
        elif isinstance(event, Silent):
            self._say_no_more(State.SILENT, event.reason)
        elif isinstance(event, Described):
            self.state, self.reason, self.info = State.RUNNING, "", event.info
        elif isinstance(event, Answered):
            self.state, self.reason = State.RUNNING, ""
            self.sample = Sample(event.stats, self.sample.now if self.sample else None, watch=True)
            self.recents = {method.name: self.sample.method(method) for method in self.methods}
            self.recent = _all(list(self.recents.values()))
            _add(self.past, self.recent, self.in_flight)
            for method in self.methods:
                if method.calls or method.in_flight:
                    past = self.pasts.setdefault(method.name, deque(maxlen=KEPT))
                    _add(past, self.recents[method.name], method.in_flight)

    def _say_no_more(self, state: State, reason: str) -> None:
        """Forget the figures of the last second, which are those of the present no more."""
        self.state, self.reason, self.recent, self.recents = state, reason, Recent(), {}

    @property
    def methods(self) -> list[MethodStats]:
        """Of its last answer, without the reserved ones."""
        return [method for method in self.sample.now.methods if not method.name.startswith(RESERVED)] if self.sample else []

    @property
    def pid(self) -> int | None:
        """The process id, as soon as it has said one."""
        return self.sample.now.pid if self.sample else self.info.pid if self.info else None

    @property
    def clients(self) -> int:
        """Connections without the one through which it is watched."""
        return max(self.sample.now.connected - 1, 0) if self.sample else 0

    @property
    def calls(self) -> int:
        """Calls that it has answered."""
        return sum(method.calls for method in self.methods)

    @property
    def errors(self) -> int:
        """Calls that it has answered with an error."""
        return sum(method.errors for method in self.methods)

    @property
    def in_flight(self) -> int:
        """Calls that it has taken and not answered."""
        return sum(method.in_flight for method in self.methods)

    @property
    def memory(self) -> int:
        """Bytes of shared memory that its connections take."""
        return sum(connection.memory for connection in self.sample.now.connections) if self.sample else 0

    @property
    def reply_pool(self) -> tuple[int, int]:
        """Bytes of the pools for replies that are in use, and that there are."""
        connections = self.sample.now.connections if self.sample else []
        return sum(connection.reply_used for connection in connections), sum(connection.reply_arena for connection in connections)

    @property
    def waits(self) -> tuple[int, int]:
        """How many waits for a call a spin has ended, and how many were slept through, of the connections that there are."""
        connections = self.sample.now.connections if self.sample else []
        return sum(connection.spins_paid for connection in connections), sum(connection.sleeps for connection in connections)


_NAN = float("nan")


def _add(past: deque[Point], recent: Recent, in_flight: int) -> None:
    if recent.rate is not None:
        past.append(Point(time.monotonic(), recent.rate, recent.percentile(50) or _NAN, recent.percentile(99) or _NAN, in_flight))


def _all(parts: list[Recent]) -> Recent:
    """Return the calls of several methods as those of one."""
    rates = [part.rate for part in parts if part.rate is not None]
    if len(rates) < len(parts):
        return Recent()
    counts: dict[int, int] = {}
    for part in parts:
        for below, calls in part.times:
            counts[below] = counts.get(below, 0) + calls
    return Recent(sum(rates), [TimeBucket(below, counts[below]) for below in sorted(counts)])
