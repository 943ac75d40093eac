"""What runs on this machine."""

from __future__ import annotations

import json

from nanorpc._loader import core
from nanorpc._place import Directory, service_directory
from nanorpc.client import connect
from nanorpc.errors import Status, exception
from nanorpc.introspection import ServiceInfo


def services(directory: Directory | None = None) -> list[str]:
    """Return the names of the running services, sorted. See :func:`connect` for the directory.

    :raises NotAllowed: others can write to the directory.
    """
    answer = json.loads(core().pycore_Services(service_directory(directory)))
    if "status" in answer:
        raise exception(Status(answer["status"]), answer["error"])
    names: list[str] = answer["services"]
    return names


def describe(service: str, *, directory: Directory | None = None, timeout: float = 5.0) -> ServiceInfo:
    """Connect to a running server and ask which methods it has. Blocks for up to ``timeout`` seconds to connect, and again for the answer.

    Raises what :func:`connect` and :meth:`Client.describe` do.
    """
    with connect(service, directory=directory, timeout=timeout, spin="none") as client:
        return client.describe(timeout=timeout)
