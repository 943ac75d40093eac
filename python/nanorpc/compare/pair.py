"""A contender's server and clients, each in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from nanorpc.compare.contenders import IDLE, PEER, Contender
from nanorpc.compare.process import PYTHON, Process, Stopped
from nanorpc.compare.timing import Figures, cpu_of, of_all
from nanorpc.errors import NanoRPCError

Measure = Callable[[int, float], Figures]
"""Measures a round of so many seconds at a size in bytes."""

_START = 60.0  # s; imports may come from a slow disk
_SLACK = 60.0  # s, beyond a round's duration, its warm-up and its start: for the last call, which may be long
_TOLD = 2.0  # s, in which all of several clients have their command, and after a round's duration have warmed up
_LINGER = 0.2  # s; clients end their measured part one after the other, by as much as their last calls take
_ONCE = 0.001  # s, of calls before clients are idle
_SETTLE = 0.5  # s, for what a library does after its last call


@contextmanager
def pair(contender: Contender, max_size: int, stopped: Event | None = None) -> Iterator[Measure]:
    """Start the processes, and give out what measures a round: for a number of seconds, at a size up to ``max_size`` bytes.

    Blocks until all are ready, for two minutes at most, and at the end until all have ended. Raises NanoRPCError, then and from what it gives out,
    with what a process says went wrong, or Stopped soon after the event has been set.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nanorpc-bench-"))) / "peer"
        directory.mkdir(mode=0o700)
        server = None
        if contender.transport:
            server = stack.enter_context(Process(_server(contender, directory, max_size), stopped, _program(contender, "peer")))
            server.answer(_START)
        argument, program = _client(contender, directory, max_size), _program(contender, "caller")
        clients = [stack.enter_context(Process(argument, stopped, program)) for _ in range(contender.clients)]
        for client in clients:
            client.answer(_START)
        server_pid = server.pid if server else 0

        def measure(size: int, duration: float) -> Figures:
            command = {"size": size, "duration": duration, "rate": contender.rate, "server_pid": server_pid}
            if contender.computing:
                command["computing"] = True
            if len(clients) > 1:
                if contender.program:  # Python's are connected
                    _asked(clients, {"size": size, "connect": True}, _START)
                command["start_ns"] = time.monotonic_ns() + int((duration + _TOLD) * 1e9)
                command["linger"] = _LINGER
            return of_all(_asked(clients, command, 3 * duration + _SLACK))

        def idle(size: int, duration: float) -> Figures:
            _asked(clients, {"size": size, "duration": _ONCE}, _SLACK)
            _sleep(_SETTLE, stopped)
            pids = [client.pid for client in clients]
            start, server_start, clients_start = time.monotonic_ns(), _cpu_of([server_pid]), _cpu_of(pids)
            _sleep(duration, stopped)
            taken = time.monotonic_ns() - start
            return {"server_cpu_share": (_cpu_of([server_pid]) - server_start) / taken, "clients_cpu_share": (_cpu_of(pids) - clients_start) / taken}

        yield idle if contender.case == IDLE else measure


def _asked(clients: Sequence[Process], command: dict[str, Any], timeout: float) -> list[Figures]:
    for client in clients:
        client.ask(command)
    return [client.answer(timeout) for client in clients]


def _sleep(seconds: float, stopped: Event | None) -> None:
    if stopped is None:
        time.sleep(seconds)
    elif stopped.wait(seconds):
        raise Stopped


def _cpu_of(pids: Sequence[int]) -> int:
    try:
        return sum(map(cpu_of, pids))
    except OSError:
        raise NanoRPCError("its process has ended") from None


def _program(contender: Contender, role: str) -> Sequence[str]:
    return (contender.program, role) if contender.program else PYTHON


def _server(contender: Contender, directory: Path, max_size: int) -> dict[str, Any]:
    if contender.transport == PEER:
        return {"role": "server", "module": contender.module, "directory": str(directory), "max_size": max_size}
    return _of_go(contender, directory, max_size)


def _client(contender: Contender, directory: Path, max_size: int) -> dict[str, Any]:
    if contender.program:
        return _of_go(contender, directory, max_size)
    loop = contender.loop or contender.case
    return {"role": "client", "module": contender.module, "loop": loop, "directory": str(directory), "inflight": contender.inflight}


def _of_go(contender: Contender, directory: Path, max_size: int) -> dict[str, Any]:
    inflight = contender.inflight
    return {"transport": contender.transport, "directory": str(directory), "spin": "adaptive", "max_size": max_size, "inflight": inflight}
