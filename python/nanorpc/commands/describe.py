"""``nanorpc describe``: what one service is."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict

from nanorpc.commands.human import printable, size
from nanorpc.commands.table import COLUMNS, texts
from nanorpc.introspection import MethodInfo
from nanorpc.services import describe

_INDENT = " " * 4


def run(service: str, directory: str | None, as_json: bool) -> int:
    """Print what a server says of itself. As JSON: an object with the keys of :class:`nanorpc.ServiceInfo`."""
    info = describe(service, directory=directory)
    if as_json:
        print(json.dumps(asdict(info)))
        return 0
    rows = [
        ("service", printable(info.service)),
        *([("version", printable(info.version))] if info.version else []),
        *([("purpose", printable(info.doc))] if info.doc else []),
        ("process", str(info.pid)),
        ("protocol", f"version {info.protocol}"),
        ("payloads", f"up to {size(info.max_payload)}"),
        ("memory", f"of each connection up to {size(info.arena)} for requests, and as much for replies"),
        ("methods", str(len(info.details))),
    ]
    print(texts(rows), end="")
    for method in info.details:
        print("\n".join(_lines(method)))
    return 0


def _lines(method: MethodInfo) -> list[str]:
    """Return a method's signature, and below it what it does."""
    signs = [sign for sign, has in (("idempotent", method.idempotent), ("a coroutine", method.coroutine), ("in place", method.kind == "raw")) if has]
    doc = " ".join([method.doc, *([f"({', '.join(signs)})"] if signs else [])]).strip()
    signature = textwrap.wrap(printable(str(method)), COLUMNS - 2, subsequent_indent=_INDENT, break_on_hyphens=False)
    return [f"  {line}" for line in signature + textwrap.wrap(printable(doc), COLUMNS - 2, initial_indent=_INDENT, subsequent_indent=_INDENT)]
