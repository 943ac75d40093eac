"""What runs on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass

from nanorpc._loader import core
from nanorpc._place import service_directory
from nanorpc.client import connect
from nanorpc.errors import Incompatible, Status, exception


@dataclass(frozen=True)
class ServiceInfo:
    """What a server says of itself."""

    service: str
    pid: int
    version: int
    """Of the protocol."""
    methods: list[str]
    """Sorted."""
    max_payload: int
    """The longest request and reply, in bytes."""
    arena: int
    """Bytes of shared memory that each connection has for requests, and as many for replies."""


def services(directory: str | None = None) -> list[str]:
    """Return the names of the running services, sorted. See :func:`connect` for the directory.

    :raises NotAllowed: others can write to the directory.
    """
    answer = json.loads(core().pycore_Services(service_directory(directory)))
    if "status" in answer:
        raise exception(Status(answer["status"]), answer["error"])
    names: list[str] = answer["services"]
    return names


def describe(service: str, *, directory: str | None = None, timeout: float = 5.0) -> ServiceInfo:
    """Ask a running server which methods it has. Blocks for ``timeout`` seconds at most; raises what :meth:`Client.call` does."""
    import msgspec  # here, not with the package: few programs need it

    with connect(service, directory=directory, timeout=timeout) as client:
        reply = client.call("nanorpc.describe", timeout=timeout)
    try:
        fields = msgspec.msgpack.decode(reply)
        return ServiceInfo(
            service=fields["service"],
            pid=fields["pid"],
            version=fields["protocol"],
            methods=fields["methods"],
            max_payload=fields["max_payload"],
            arena=fields["arena"],
        )
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Incompatible(f"service {service} describes itself in an unknown way: {error!r}") from error
