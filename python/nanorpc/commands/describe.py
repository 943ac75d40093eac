"""``nanorpc describe``: what one service is."""

from __future__ import annotations

import json
from dataclasses import asdict

from nanorpc.commands.human import printable, size
from nanorpc.commands.table import texts
from nanorpc.services import describe


def run(service: str, directory: str | None, as_json: bool) -> int:
    """Print what a server says of itself. As JSON: an object with the keys of :class:`nanorpc.ServiceInfo`."""
    info = describe(service, directory=directory)
    if as_json:
        print(json.dumps(asdict(info)))
        return 0
    rows = [
        ("service", printable(info.service)),
        ("process", str(info.pid)),
        ("protocol", f"version {info.protocol}"),
        ("payloads", f"up to {size(info.max_payload)}"),
        ("memory", f"of each connection up to {size(info.arena)} for requests, and as much for replies"),
    ]
    rows += [("methods" if i == 0 else "", printable(method)) for i, method in enumerate(info.methods or ["none"])]
    print(texts(rows), end="")
    return 0
