"""The processes of a contender: ``python -m nanorpc._peer`` with an argument that has a ``role``.

Either prints a line of JSON when it is ready, ``{"ready": true}``, or when it cannot be, ``{"error": TEXT}``, and ends when its standard input does.
A client then takes commands on standard input, ``{"size": BYTES, "duration": SECONDS}``, a line each, and prints the figures of a round for each.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from nanorpc.compare.loops import LOOPS


def main(params: dict[str, Any]) -> int:
    """Serve, or measure, until standard input ends. Returns the exit status."""
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
            command = json.loads(line)
            _print(measure(command["size"], command["duration"]))


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
