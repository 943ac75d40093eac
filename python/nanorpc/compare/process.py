"""A process of a contender, as the benchmark has it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from threading import Event
from types import TracebackType
from typing import Any

from nanorpc.errors import NanoRPCError

_END = 5.0  # s, for a process to end by itself
_SAID = 200  # bytes of what is no JSON are shown
_LOOK = 0.1  # s, from a look at whether to stop to the next


class Stopped(Exception):
    """Whoever measures has been told to stop."""


PYTHON = (sys.executable, "-m", "nanorpc._peer")
"""How a process of Python's is started."""


class Process:
    """A program with an argument: it takes and prints lines of JSON. It is a context manager that ends the process.

    Ctrl-C does not reach it: it ends when its standard input does, which is when this process ends at the latest.

    :param stopped: nobody waits for its answers any more.
    :param program: what comes before the argument.
    """

    def __init__(self, argument: dict[str, Any], stopped: Event | None = None, program: Sequence[str] = PYTHON) -> None:
        self._stopped = stopped or Event()
        self._process = subprocess.Popen(
            [*program, json.dumps(argument)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # select sees all that has been printed
            start_new_session=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        if error is not None:  # it may be busy for as long as a round takes
            self._process.terminate()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, command: dict[str, Any]) -> None:
        """Write a line.

        :raises NanoRPCError: the process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            raise NanoRPCError("its process has ended") from None

    def answer(self, timeout: float) -> dict[str, Any]:
        """Return the next line that the process prints. Blocks for ``timeout`` seconds at most.

        :raises NanoRPCError: it has printed an error, or nothing in that time, or has ended.
        :raises Stopped: the event has been set.
        """
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        while not select.select([self._process.stdout], [], [], min(timeout, _LOOK))[0]:
            if self._stopped.is_set():
                raise Stopped
            if time.monotonic() > end:
                raise NanoRPCError(f"no answer in {timeout:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise NanoRPCError("its process has ended")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise NanoRPCError(f"its process said {line[:_SAID]!r}") from None
        if error := answer.get("error"):
            raise NanoRPCError(error)
        return answer
