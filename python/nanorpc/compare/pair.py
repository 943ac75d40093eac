"""A contender's server and client, each in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from nanorpc.compare.contenders import PEER, Contender
from nanorpc.compare.process import Process
from nanorpc.compare.timing import Figures

_START = 60.0  # s; imports may come from a slow disk
_SLACK = 60.0  # s, beyond twice a round's duration: for the last call, which may be long


@contextmanager
def pair(contender: Contender, max_size: int, stopped: Event | None = None) -> Iterator[Callable[[int, float], Figures]]:
    """Start the processes, and give out what measures a round: for a number of seconds, at a size up to ``max_size`` bytes.

    Blocks until both are ready, for two minutes at most, and at the end until both have ended. Raises NanoRPCError, then and from what it gives out,
    with what a process says went wrong, or Stopped soon after the event has been set.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nanorpc-bench-"))) / "peer"
        directory.mkdir(mode=0o700)
        if contender.transport:
            stack.enter_context(Process(_server(contender, directory, max_size), stopped)).answer(_START)
        client = stack.enter_context(Process(_client(contender, directory), stopped))
        client.answer(_START)

        def measure(size: int, duration: float) -> Figures:
            client.ask({"size": size, "duration": duration})
            return client.answer(2 * duration + _SLACK)

        yield measure


def _server(contender: Contender, directory: Path, max_size: int) -> dict[str, Any]:
    if contender.transport == PEER:
        return {"role": "server", "module": contender.module, "directory": str(directory), "max_size": max_size}
    inflight = contender.inflight
    return {"transport": contender.transport, "directory": str(directory), "spin": "adaptive", "max_size": max_size, "inflight": inflight}


def _client(contender: Contender, directory: Path) -> dict[str, Any]:
    loop = contender.loop or contender.case
    return {"role": "client", "module": contender.module, "loop": loop, "directory": str(directory), "inflight": contender.inflight}
