"""The columns of the list of servers."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nanorpc.commands.human import number, period, printable, rate, size, uptime
from nanorpc.gui.servers.record import SIGNS, Record, State

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """What a column shows of a server."""

    title: str
    tip: str
    text: Callable[[Record], str]
    order: Callable[[Record], Any]
    """By what servers are sorted."""
    longest: str
    """A text that finds room."""
    is_text: bool = False
    """Else it is a number, to the right."""


@lru_cache(256)
def user_name(uid: int) -> str:
    """Return a user's name, or the number of one who has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user(record: Record) -> str:
    """Return as whom a server runs."""
    uid = record.sample.now.uid if record.sample else None
    return NOTHING if uid is None else user_name(uid)


def up(record: Record) -> int:
    """Return for how many ns a server has run at its last answer."""
    return record.sample.now.uptime_ns if record.sample else 0


def pool(record: Record) -> str:
    """Return how much of its memory for replies a server uses."""
    used, whole = record.reply_pool
    return f"{size(used)} / {size(whole)}" if whole else NOTHING


def used(record: Record) -> float | None:
    """Return what share of its memory for replies a server uses."""
    taken, whole = record.reply_pool
    return taken / whole if whole else None


def spun(record: Record) -> float | None:
    """Return what share of a server's waits for calls a spin has ended."""
    spins, sleeps = record.waits
    return spins / (spins + sleeps) if spins + sleeps else None


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value * 100:.0f} %"


def _known(text: str) -> str:
    return NOTHING if text == "-" else text


def _period(record: Record, percent: float) -> str:
    return _known(period(record.recent.percentile(percent)))


def _order(record: Record, percent: float) -> int:
    return record.recent.percentile(percent) or 0


def _live(record: Record, count: int) -> str:
    """Return a figure of the moment."""
    return number(count) if record.state is State.RUNNING else NOTHING


TREND = 3
"""The column of the little charts."""

COLUMNS = (
    Column("Service", "the name by which clients find it", lambda r: printable(r.service), lambda r: r.service.lower(), "image-server", True),
    Column("State", "whether it answers", lambda r: f"{SIGNS[r.state]} {r.state.value}", lambda r: r.state.value, "▲ not answering", True),
    Column("Calls/s", "calls answered in the last second", lambda r: _known(rate(r.recent.rate)), lambda r: r.recent.rate or 0.0, "99999"),
    Column("Trend", "calls per second over the last minute", lambda _: "", lambda r: r.recent.rate or 0.0, "0000000"),
    Column("p50", "half of the calls of the last second took less, at the server", lambda r: _period(r, 50), lambda r: _order(r, 50), "999µs"),
    Column("p99", "99 of 100 calls of the last second took less, at the server", lambda r: _period(r, 99), lambda r: _order(r, 99), "999µs"),
    Column("In flight", "calls that have been taken and not answered", lambda r: _live(r, r.in_flight), lambda r: r.in_flight, "9999"),
    Column("Errors", "calls answered with an error, since its start", lambda r: number(r.errors), lambda r: r.errors, "9999"),
    Column("Clients", "connections, without this dashboard's", lambda r: _live(r, r.clients), lambda r: r.clients, "9999"),
    Column("Pool", "of the memory for replies: what share is in use", lambda r: _share(used(r)), lambda r: used(r) or 0.0, "100 %"),
    Column("Spun", "waits for a call that ended while it spun, else asleep", lambda r: _share(spun(r)), lambda r: spun(r) or 0.0, "100 %"),
    Column("Uptime", "since the server was made", lambda r: uptime(up(r)) if up(r) else NOTHING, up, "23h59m59s"),
    Column("PID", "the server's process", lambda r: str(r.pid or NOTHING), lambda r: r.pid or 0, "4194304"),
    Column("User", "as whom it runs", user, user, "somebody", True),
)
