"""What is kept of a benchmark."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nanorpc.bench import Case
from nanorpc.gui.bench.plan import Plan, is_python

Load = tuple[int, float]
"""Calls in flight, and the rate at which they were made, or 0."""


@dataclass(frozen=True)
class Record:
    """A benchmark that has ended."""

    plan: Plan
    cases: Sequence[Case]
    started: str
    """When, in the user's time, as ISO 8601 has it, to the second."""
    seconds: float
    """How long it took."""
    state: str
    """``done``, ``stopped`` or ``failed``."""
    machine: dict[str, str]
    note: str = ""
    id: int | None = None
    """In the history; none: it is not kept there."""

    @property
    def title(self) -> str:
        """How it is called in the window."""
        when = datetime.fromisoformat(self.started).strftime("%d %b %Y, %H:%M:%S")
        number = f"Run {self.id}, " if self.id is not None else ""
        return f"{number}{when}" + (f": {self.note}" if self.note else "")

    @property
    def transports(self) -> list[str]:
        """Those that were measured, in the order of the plan."""
        return [name for name in self.plan.transports if any(case.transport == name for case in self.cases)]

    @property
    def sizes(self) -> list[int]:
        """Those that were measured."""
        return sorted({case.size_bytes for case in self.cases})

    @property
    def loads(self) -> list[Load]:
        """Those that were measured; of Python's own only if there are no others."""
        of_core = [case for case in self.cases if not is_python(case.transport)]
        return sorted({(case.inflight, case.rate) for case in of_core or self.cases})

    def find(self, transport: str, size: int, load: Load) -> Case | None:
        """Return a case. Python's own have one call in flight, and stand beside all others."""
        found = [case for case in self.cases if case.transport == transport and case.size_bytes == size]
        return next((case for case in found if (case.inflight, case.rate) == load), found[0] if is_python(transport) and found else None)


def load_text(load: Load) -> str:
    """Return a load for people."""
    inflight, rate = load
    return f"{inflight} in flight" + (f", {rate:,.0f} calls/s" if rate else "")


def loads_text(loads: Sequence[Load]) -> str:
    """Return several."""
    if len(loads) > 1 and not any(rate for _, rate in loads):
        return f"{', '.join(str(inflight) for inflight, _ in loads)} in flight"
    return "; ".join(load_text(load) for load in loads)


def now() -> str:
    """Return the time for :attr:`Record.started`."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def machine() -> dict[str, str]:
    """Return what runs are compared by. Reads some files."""
    return {
        "host": platform.node(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "governor": governor() or "unknown",
        "nanorpc": version("nanorpc"),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))), platform.machine())
    return f"{sum(line.startswith('processor') for line in lines)} × {model}"


def governor() -> str:
    """Return how the kernel sets the clock of the first CPU, or nothing where it does not say."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return ""


def record_dict(record: Record) -> dict[str, Any]:
    """Return a record for JSON, with all that has been measured."""
    return {
        "started": record.started,
        "seconds": round(record.seconds, 3),
        "state": record.state,
        "note": record.note,
        "machine": record.machine,
        "settings": record.plan.as_dict(),
        "cases": [case.as_dict() | {"round_p50_ns": case.round_p50_ns, "distribution": case.distribution} for case in record.cases],
    }
