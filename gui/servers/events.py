"""What the monitor tells of the servers that it watches."""

from __future__ import annotations

from dataclasses import dataclass

from nanorpc.introspection import ServiceInfo, Stats


@dataclass(frozen=True)
class Event:
    """Something about one server."""

    key: int
    """Which no other server has, nor the next one of the same name."""
    service: str


@dataclass(frozen=True)
class Described(Event):
    """It has said what it is."""

    info: ServiceInfo


@dataclass(frozen=True)
class Answered(Event):
    """It has said what it has counted."""

    stats: Stats


@dataclass(frozen=True)
class Silent(Event):
    """It runs, and does not answer."""

    reason: str


@dataclass(frozen=True)
class Gone(Event):
    """It has died or closed."""


@dataclass(frozen=True)
class Looked:
    """The service directory has been read."""

    problem: str
    """Why it could not be; else empty."""
