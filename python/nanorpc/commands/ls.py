"""``nanorpc ls``: what runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from nanorpc.commands.human import printable
from nanorpc.errors import NanoRPCError
from nanorpc.introspection import ServiceInfo
from nanorpc.services import describe, services


def run(directory: str | None, as_json: bool) -> int:
    """Print the running services with their methods; one that does not answer, with the reason.

    As JSON: an object for each, one a line, which has the keys of :class:`nanorpc.ServiceInfo`, or ``service`` and ``error``.
    """
    names = services(directory)
    for name in names:
        try:
            info = describe(name, directory=directory)
        except NanoRPCError as error:
            print(json.dumps({"service": name, "error": str(error)}) if as_json else f"{name}: {error}")
            continue
        print(json.dumps(asdict(info)) if as_json else _text(info))
    if not names:
        print("nanorpc: no service is running", file=sys.stderr)
    return 0


def _text(info: ServiceInfo) -> str:
    """Return a line for a service, and an indented one for each method."""
    version = f" {info.version}" if info.version else ""
    doc = f": {info.doc}" if info.doc else ""
    return "\n  ".join([printable(f"{info.service}{version}, process {info.pid}{doc}"), *(printable(str(method)) for method in info.details)])
