"""The processes of a contender: ``python -m nanorpc._peer`` with an argument that has a ``role``.

Either prints a line of JSON when it is ready, ``{"ready": true}``, or when it cannot be, ``{"error": TEXT}``, and ends when its standard input does.
A client then takes commands on standard input, a line each, ``{"size": BYTES, "duration": SECONDS}`` and perhaps more of
:class:`~nanorpc.compare.timing.Command`, and prints the figures of a round for each.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from nanorpc.compare.loops import LOOPS
from nanorpc.compare.timing import Command


def main(params: dict[str, Any]) -> int:
    """Serve, or measure, until standard input ends. Returns the exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of standard input is enough, and what it ends is cleaned up
    try:
        peer = import_module(f"nanorpc.peers.{params['module']}")
        if params["role"] == "server":
            _serve(peer, params)
        else:
            _measure(peer, params)
    except Exception as error:  # the benchmark's to report, whatever library it is of
        _print({"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def _serve(peer: Any, params: dict[str, Any]) -> None:
    with peer.serve(Path(params["directory"]), params["max_size"]):
        _print({"ready": True})
        sys.stdin.buffer.read()


def _measure(peer: Any, params: dict[str, Any]) -> None:
    with LOOPS[params["loop"]](peer, Path(params["directory"]), params["inflight"]) as measure:
        _print({"ready": True})
        for line in sys.stdin:
            command = Command(**json.loads(line))
            with _interruptible():
                answer = measure(command)
            _print(answer)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the process here, in the middle of a round, but not its clients' end: some leave shared memory behind."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
