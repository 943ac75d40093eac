"""What may keep NanoRPC from working, or from being fast, on this machine: ``nanorpc doctor``.

Nothing is changed: what the checks make for themselves, they remove.
"""

from __future__ import annotations

from collections.abc import Iterator

from nanorpc._place import service_directory
from nanorpc.doctor import extension, kernel, limits, loop, memory, place, processors
from nanorpc.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]


def examine(directory: str | None = None) -> Iterator[Finding]:
    """Yield what each check finds, as it is done. The last, a call of a service in a process of its own, takes about a second.

    :param directory: where services are found, as for :func:`nanorpc.connect`.
    """
    yield kernel.version()
    yield memory.shared_memory()
    yield place.directory(service_directory(directory))
    yield limits.open_files()
    yield limits.file_size()
    yield limits.address_space()
    yield processors.processors()
    built = extension.build()
    yield built
    if built.verdict is not Verdict.PROBLEM:
        yield extension.fork()
        yield loop.round_trip()
