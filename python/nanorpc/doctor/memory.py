"""Where shared memory comes from."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from nanorpc.doctor.finding import Finding, ok, problem, warning
from nanorpc.units import size_text

CHECK = "shared memory"

LITTLE = 64 << 20
"""Bytes. What Docker gives a container: enough for small calls, not for large payloads."""

_TRIAL = 64 << 10  # bytes: a connection and a little for payloads


def shared_memory(path: str = "/dev/shm") -> Finding:
    """Check that a directory is a tmpfs in which objects can be made, and has room."""
    if not os.path.isdir(path):
        return problem(CHECK, f"there is no {path}", f"as root: mkdir -m 1777 {path} && mount -t tmpfs tmpfs {path}")
    kind = file_system(path)
    if kind != "tmpfs":
        return problem(CHECK, f"{path} is no tmpfs, but {kind}", f"as root: mount -t tmpfs -o mode=1777 tmpfs {path}")
    room = os.statvfs(path)
    free, total = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    found = f"{path} is a tmpfs, {size_text(free)} free" + (f" of {size_text(total)}" if total else "")
    larger = f"remove files that nobody uses, or as root: mount -o remount,size=SIZE {path}; in a container of Docker: --shm-size"
    try:
        _make(path)
    except PermissionError as error:
        return problem(CHECK, f"{path} cannot be written: {error.strerror}", f"as root: chmod 1777 {path}; mount it without ro")
    except OSError as error:
        if error.errno == errno.EFBIG:
            larger = "before the program starts: ulimit -f unlimited"
        return problem(CHECK, f"{found}; no object can be made there: {error.strerror}", larger)
    if total and free <= LITTLE:
        return warning(CHECK, f"{found}: calls whose payloads need more will fail", larger)
    return ok(CHECK, found)


def file_system(path: str, mounts: str | None = None) -> str:
    """Return the type of the file system at a path, or ``unknown``. ``mounts`` is the text of /proc/self/mounts, which is read by default."""
    real = os.path.realpath(path)
    nearest, kind = "", "unknown"
    for line in (Path("/proc/self/mounts").read_text() if mounts is None else mounts).splitlines():
        _, place, this_kind, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        inside = real == place or real.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(nearest):  # of two at one place, the later lies on top
            nearest, kind = place, this_kind
    return kind


def _make(directory: str) -> None:
    """Make what a connection needs, without a name, and drop it."""
    descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _TRIAL)
    finally:
        os.close(descriptor)
