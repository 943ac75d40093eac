"""The CPUs that this process may use."""

from __future__ import annotations

import os

from nanorpc.doctor.finding import Finding, ok, warning
from nanorpc.doctor.quota import quota

ENOUGH = 2.0
"""CPUs with which a client and a server can both run all the time."""


def processors(usable: set[int] | None = None, present: int | None = None, allowed: float | None = None) -> Finding:
    """Check that a client and a server can run at once. The arguments are by default this process's affinity, the machine's CPUs, and the CPU time
    that the control groups allow, in CPUs.
    """
    usable = usable or os.sched_getaffinity(0)
    present = present or os.cpu_count() or len(usable)
    allowed = quota() if allowed is None else allowed
    found = f"{len(usable)} of {present} may be used"
    if allowed is not None and allowed < present:
        found += f", for the time of {allowed:.4g}"
    if len(usable) < ENOUGH:
        return warning(
            "CPUs",
            f"only one may be used, of {present}: two ends on it gain nothing from spinning, and calls take longer",
            "give client and server a CPU each" + (": widen the affinity (taskset, cpuset) that restricts this" if present > 1 else ""),
        )
    if allowed is not None and allowed < ENOUGH:
        return warning(
            "CPUs",
            f"{found}: when two ends have used that up by spinning, both stand still, for up to a tenth of a second",
            "raise the quota of the control group (--cpus of Docker, limits.cpu of Kubernetes, CPUQuota= of systemd) to 2 CPUs or more, or use "
            'spin="none" for servers and clients',
        )
    return ok("CPUs", found)
