"""The CPU time that control groups allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")

_V1_MOUNTS = ("cpu,cpuacct", "cpu", "cpuacct,cpu")


def quota(groups: str | None = None, root: Path = ROOT) -> float | None:
    """Return how many CPUs' time this process may use, as the least of its control group and those above it, in version 1 or 2; None: no limit.

    :param groups: the text of /proc/self/cgroup, which is read by default.
    :param root: where control groups are mounted.
    """
    if groups is None:
        try:
            groups = Path("/proc/self/cgroup").read_text()
        except OSError:
            return None
    limits: list[float] = []
    for line in groups.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            limits += _limits(root, path, _version_2)
        elif "cpu" in controllers.split(","):
            for mount in _V1_MOUNTS:
                if (root / mount).is_dir():
                    limits += _limits(root / mount, path, _version_1)
                    break
    return min(limits, default=None)


def _limits(mount: Path, path: str, read: Callable[[Path], float | None]) -> list[float]:
    """Return the limits of a group and those above it. In a container that sees only its own, that is at the mount, whatever the path."""
    limits = []
    group = mount.joinpath(*PurePosixPath(path).parts[1:])
    for place in (group, *group.parents):
        try:
            limit = read(place)
        except (OSError, ValueError):  # not there, as at the root
            limit = None
        if limit is not None:
            limits.append(limit)
        if place == mount:
            break
    return limits


def _version_2(group: Path) -> float | None:
    """Return what ``cpu.max`` says: ``max 100000`` or ``50000 100000``."""
    allowed, period = (group / "cpu.max").read_text().split()
    return None if allowed == "max" else int(allowed) / int(period)


def _version_1(group: Path) -> float | None:
    allowed, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    return None if allowed < 0 else allowed / period
