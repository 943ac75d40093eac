"""``nanorpc ls``: what runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from nanorpc.commands.human import printable
from nanorpc.commands.table import texts
from nanorpc.errors import NanoRPCError
from nanorpc.services import describe, services


def run(directory: str | None, as_json: bool) -> int:
    """Print the running services and their methods; one that does not answer, with the reason.

    As JSON: an object for each, one a line, which has the keys of :class:`nanorpc.ServiceInfo`, or ``service`` and ``error``.
    """
    rows = [("SERVICE", "PROCESS", "METHODS")]
    for name in services(directory):
        try:
            info = describe(name, directory=directory)
        except NanoRPCError as error:
            rows.append((name, "?", str(error)))
            if as_json:
                print(json.dumps({"service": name, "error": str(error)}))
            continue
        rows.append((name, str(info.pid), " ".join(map(printable, info.methods))))
        if as_json:
            print(json.dumps(asdict(info)))
    if len(rows) == 1:
        print("nanorpc: no service is running", file=sys.stderr)
    elif not as_json:
        print(texts(rows), end="")
    return 0
