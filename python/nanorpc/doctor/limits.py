"""What the kernel lets a process have."""

from __future__ import annotations

import resource

from nanorpc.doctor.finding import Finding, ok, problem, warning
from nanorpc.units import size_text

FEW_FILES = 1024

DESCRIPTORS = 2
"""That a connection takes at each end: a socket and a segment."""

SEGMENT = (2 << 30) + (1 << 20)
"""Bytes that the segment of a connection has at most, unless its server sets another limit than 1 GiB each way. It is a file of that size, with
holes, from the beginning on.
"""

SMALL_SPACE = 8 * SEGMENT
"""Bytes. Both the core and Python map a segment, and Go reserves addresses, not memory, by the gigabyte."""


def open_files() -> Finding:
    """Check how many connections the limit of open files allows. The core raises the soft limit to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return ok("open files", "no limit")
    found = f"up to {hard}: about {hard // DESCRIPTORS} connections"
    if hard < FEW_FILES:
        return warning("open files", found, "raise the hard limit: ulimit -Hn as root, LimitNOFILE= of systemd, or --ulimit nofile= of Docker")
    return ok("open files", found)


def file_size() -> Finding:
    """Check the limit of a file's size, which holds for shared memory too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or soft >= SEGMENT:
        return ok("file size", _limit(soft))
    found = f"{_limit(soft)}: shared memory of a connection has {size_text(2 << 30)}, unless its server sets a smaller arena"
    return problem("file size", found, "before the program starts: ulimit -f unlimited")


def address_space() -> Finding:
    """Check the limit of addresses that a process may map."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft >= SMALL_SPACE:
        return ok("address space", _limit(soft))
    found = f"{_limit(soft)}: a connection takes {size_text(4 << 30)} of addresses, unless its server sets a smaller arena"
    return warning("address space", found, "before the program starts: ulimit -v unlimited")


def _limit(soft: int) -> str:
    return "no limit" if soft == resource.RLIM_INFINITY else f"up to {size_text(soft)}"
