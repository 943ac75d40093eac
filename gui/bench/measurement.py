"""A plan being carried out: the core's runs, and then Python's own, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nanorpc.bench import Case, Config, Run, Snapshot
from nanorpc.errors import NanoRPCError
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.bench.python_stage import PythonStage


class Stage(Protocol):
    """A part of a plan that runs."""

    def poll(self) -> Snapshot:
        """Return what has been measured. Does not block."""

    def stop(self) -> None:
        """Ask it to stop. Does not block."""

    def close(self) -> None:
        """Stop it, and wait until its processes have ended."""


@dataclass(frozen=True)
class _Part:
    """A stage that has not begun."""

    weight: float
    config: Config | None  # none: Python's own


class Measurement:
    """Carries out a plan. Used by the window's thread, which asks for what has been measured.

    :raises ValueError: nothing is planned.
    :raises NanoRPCError: something in it cannot be.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parts = [_Part(1.0, config) for config in plan.configs()]
        if plan.contenders():
            share = len(plan.contenders()) / max(len(plan.transports) - len(plan.contenders()), 1)
            self._parts.append(_Part(share, None))
        if not self._parts:
            raise ValueError("Choose at least one transport.")
        self._weight = sum(part.weight for part in self._parts)
        self._done = 0.0
        self._finished: list[Case] = []
        self._stopped = False
        self._started = time.monotonic()
        self._stage: Stage = self._begin()

    def _begin(self) -> Stage:
        config = self._parts[0].config
        return PythonStage(self._plan) if config is None else Run(config)

    def poll(self) -> Snapshot:
        """Return what has been measured up to now, and go on with the next stage when one has ended."""
        snapshot = self._stage.poll()
        if snapshot.state == "done" and len(self._parts) > 1 and not self._stopped:
            self._stage.close()  # has ended: does not block
            self._done += self._parts.pop(0).weight
            self._finished += snapshot.cases
            try:
                self._stage = self._begin()
            except NanoRPCError as error:
                self._parts.clear()
                return self._whole(replace(snapshot, state="failed", error=str(error), cases=[]), 0)
            return self._whole(replace(snapshot, state="running", current="", cases=[]), 0)
        return self._whole(snapshot, self._parts[0].weight if self._parts else 0)

    def _whole(self, snapshot: Snapshot, weight: float) -> Snapshot:
        fraction = min((self._done + weight * snapshot.fraction) / self._weight, 1.0)
        elapsed = time.monotonic() - self._started
        left = elapsed * (1 - fraction) / fraction if fraction > 0 and snapshot.state == "running" else 0.0
        state = "stopped" if self._stopped and snapshot.state == "done" else snapshot.state
        cases = _ordered([*self._finished, *snapshot.cases])
        return replace(snapshot, state=state, fraction=fraction, elapsed_s=elapsed, eta_s=left, cases=cases)

    def stop(self) -> None:
        """Ask it to stop, and return at once. What has been measured stays."""
        self._stopped = True
        self._stage.stop()

    def close(self) -> None:
        """Stop it, and wait until its processes have ended."""
        self._stage.close()


def _ordered(cases: Sequence[Case]) -> list[Case]:
    """Return cases by load and then by size; the transports keep their order."""
    return sorted(cases, key=lambda case: (case.inflight, case.rate, case.size_bytes))
