"""What spoils a figure on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nanorpc.doctor.finding import Finding, Verdict, ok, warning
from nanorpc.doctor.memory import shared_memory
from nanorpc.doctor.processors import processors
from nanorpc.gui.record import governor

BUSY = 0.2
"""The share of all CPU time that others may take."""

_LOOK = 0.4  # s


def preflight() -> list[Finding]:
    """Return what each check has found. Takes half a second, as it looks at how busy the machine is."""
    return [processors(), _governor(), shared_memory(), busy()]


def _governor() -> Finding:
    name = governor()
    if name in ("", "performance"):
        return ok("clock", "is fixed, or not ours to see" if not name else "governor performance")
    return warning("clock", f"governor {name}: CPUs slow down between calls", "as root: cpupower frequency-set -g performance")


def busy(before: tuple[int, int] | None = None, after: tuple[int, int] | None = None) -> Finding:
    """Check how much CPU time others take. The arguments are what :func:`cpu_time` returns, a while apart; by default it is looked at."""
    if before is None or after is None:
        before = cpu_time()
        time.sleep(_LOOK)
        after = cpu_time()
    share = (after[0] - before[0]) / max(after[1] - before[1], 1)
    found = f"{share * 100:.0f} % of the CPU time is taken"
    if share > BUSY:
        return warning("load", f"the machine is busy: {found} by other programs", "end them, or believe the ratios more than the times")
    return ok("load", found)


def cpu_time(text: str | None = None, own: float | None = None) -> tuple[int, int]:
    """Return the machine's CPU time that others have used, and all of it, from the text of /proc/stat and the seconds that this process has used."""
    line = (Path("/proc/stat").read_text() if text is None else text).partition("\n")[0]
    ours = round((time.process_time() if own is None else own) * os.sysconf("SC_CLK_TCK"))
    user, nice, system, idle, iowait, irq, softirq, steal, *_ = (int(number) for number in line.split()[1:])
    used = user + nice + system + irq + softirq + steal
    return used - ours, used + idle + iowait


def summary(findings: list[Finding]) -> tuple[str, Verdict]:
    """Return a line for people, and how bad it is."""
    bad = [finding for finding in findings if finding.verdict is not Verdict.OK]
    if not bad:
        return "Ready: nothing on this machine spoils the figures.", Verdict.OK
    worst = Verdict.PROBLEM if any(finding.verdict is Verdict.PROBLEM for finding in bad) else Verdict.WARNING
    return "; ".join(finding.found for finding in bad), worst


def details(findings: list[Finding]) -> str:
    """Return all of it, with what can be done, as text of several lines."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.check}: {finding.found}")
        if finding.remedy:
            lines.append(f"    → {finding.remedy}")
    return "\n".join(lines)
