"""The kernel."""

from __future__ import annotations

import platform
import re

from nanorpc.doctor.finding import Finding, ok, problem

OLDEST = (3, 15)
"""The first Linux with open file description locks, which tell a server that runs from one that has died."""


def version(system: str | None = None, release: str | None = None) -> Finding:
    """Check that this is Linux, and new enough. The arguments are those of uname(2), by default this machine's."""
    system, release = system or platform.system(), release or platform.release()
    found = f"{system} {release}"
    if system != "Linux":
        return problem("kernel", found, "NanoRPC needs Linux")
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        return problem("kernel", found, "NanoRPC needs Linux {}.{} or newer".format(*OLDEST))
    return ok("kernel", found)
