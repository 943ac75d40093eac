"""Python's own contenders, measured by :mod:`nanorpc.compare` in a thread, with their processes elsewhere."""

from __future__ import annotations

import time
from threading import Event, Thread

from nanorpc.bench import Case, Snapshot
from nanorpc.compare.contenders import Contender
from nanorpc.compare.process import Stopped
from nanorpc.compare.result import Result
from nanorpc.compare.run import Comparison
from nanorpc.compare.run import Plan as Compared
from nanorpc.compare.timing import merged
from nanorpc.gui.bench.plan import Plan


class PythonStage:
    """Measures bytes there and back, one call at a time, in a closed loop."""

    def __init__(self, plan: Plan) -> None:
        contenders = plan.contenders()
        self._started = time.monotonic()
        self._ended: float | None = None
        self._steps = max(len(contenders) * len(plan.sizes) * plan.rounds, 1)
        self._current = ""
        self._state = "running"
        self._errors: list[str] = []
        self._stop = Event()
        compared = Compared(contenders, plan.sizes, plan.duration_ms / 1000, plan.rounds)
        self._comparison = Comparison(compared, self._progress, self._failed, self._stop)
        self._thread = Thread(target=self._measure, name="nanorpc-gui-compare", daemon=True)
        self._thread.start()

    def _measure(self) -> None:
        try:
            self._comparison.run()
            self._state = "done"
        except Stopped:
            self._state = "stopped"
        except Exception as error:  # for the window to show
            self._errors.append(f"{type(error).__name__}: {error}")
            self._state = "failed"
        finally:
            self._ended = time.monotonic()

    def _progress(self, text: str) -> None:
        self._current = text.removeprefix("echo, ")

    def _failed(self, contender: Contender, text: str) -> None:
        self._errors.append(f"{contender.name}: {text}")

    def poll(self) -> Snapshot:
        """Return what has been measured up to now."""
        state = self._state  # before the results: at the end, all of them
        results = self._comparison.results
        done = sum(len(result.rounds) for result in results)
        return Snapshot(
            state=state,
            error="; ".join(self._errors),
            fraction=1.0 if state == "done" else min(done / self._steps, 1.0),
            elapsed_s=(self._ended or time.monotonic()) - self._started,
            eta_s=0,
            current=self._current,
            cases=[case_of(result) for result in results],
        )

    def stop(self) -> None:
        """Ask it to stop, and return at once."""
        self._stop.set()

    def close(self) -> None:
        """Stop it, and wait until its processes have ended."""
        self._stop.set()
        self._thread.join()


def case_of(result: Result) -> Case:
    """Return a result as one of the core's."""
    low, high = result.spread()
    return Case(
        transport=f"py {result.contender}",
        size_bytes=result.size_bytes,
        inflight=result.inflight,
        calls=result.total("calls"),
        mean_ns=result.median("mean_ns"),
        p50_ns=result.median("p50_ns"),
        p99_ns=result.median("p99_ns"),
        p999_ns=result.median("p999_ns"),
        calls_per_s=result.median("calls_per_s"),
        errors=result.total("errors"),
        rounds=len(result.rounds),
        p50_low_ns=low,
        p50_high_ns=high,
        round_p50_ns=[round_["p50_ns"] for round_ in result.rounds],
        distribution=merged(round_["distribution"] for round_ in result.rounds),
    )
