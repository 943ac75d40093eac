"""What ``nanorpc stat --json`` prints: the keys of nanorpc.stats in docs/protocol.md, and those that ``./client stats -json`` adds."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from nanorpc.commands.sample import Recent, Sample


def as_dict(sample: Sample) -> dict[str, Any]:
    """Return all that a server says, with None where something added is not known.

    ``interval_ns`` is since the print before; ``calls_per_s``, ``p50_ns`` and ``p99_ns`` are of the calls since then in a watch, else of all;
    ``own`` marks this process's connections.
    """
    answer = asdict(sample.now)
    answer["interval_ns"] = sample.interval_ns or None
    for method, fields in zip(sample.now.methods, answer["methods"], strict=True):
        fields.update(_recent(sample.method(method)))
    for connection, fields in zip(sample.now.connections, answer["connections"], strict=True):
        fields.update(_recent(sample.connection(connection)), own=connection.pid == os.getpid())
    return answer


def _recent(recent: Recent) -> dict[str, Any]:
    return {"calls_per_s": recent.rate, "p50_ns": recent.percentile(50), "p99_ns": recent.percentile(99)}
