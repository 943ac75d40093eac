"""The CPUs that this process may use."""

from __future__ import annotations

import os

from nanorpc.doctor.finding import Finding, ok, warning


def processors(usable: set[int] | None = None, present: int | None = None) -> Finding:
    """Check that a client and a server can run at once. The arguments are by default this process's affinity and the machine's CPUs."""
    usable = usable or os.sched_getaffinity(0)
    present = present or os.cpu_count() or len(usable)
    if len(usable) > 1:
        return ok("CPUs", f"{len(usable)} of {present} may be used")
    return warning(
        "CPUs",
        f"only one may be used, of {present}: two ends on it gain nothing from spinning, and calls take longer",
        "give client and server a CPU each" + (": widen the affinity (taskset, cpuset) that restricts this" if present > 1 else ""),
    )
