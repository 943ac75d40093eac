"""The tables of ``nanorpc stat``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nanorpc.commands.human import number, period, plural, printable, rate, shorten, size, uptime
from nanorpc.commands.sample import Sample
from nanorpc.commands.table import COLUMNS, figures
from nanorpc.introspection import ConnectionStats

SHOWN_CONNECTIONS = 20
"""How many connections the tables show at most."""


def all_services(samples: Sequence[Sample], failures: Sequence[tuple[str, str]], watch: bool) -> str:
    """Return a line for each service, and one for each that does not answer: its name and the reason."""
    rows = [_row(watch, 5, "SERVICE", "PROCESS", "UP", "CONNS", "CALLS", "CALLS/S", "ERRORS", "INFLIGHT", "IN", "OUT")]
    for sample in samples:
        now, methods = sample.now, sample.now.methods
        calls, errors, running = sum(m.calls for m in methods), sum(m.errors for m in methods), sum(m.in_flight for m in methods)
        received, sent = sum(m.request_bytes for m in methods), sum(m.reply_bytes for m in methods)
        cells = [printable(now.service), str(now.pid), uptime(now.uptime_ns), number(now.connected), number(calls), rate(sample.service())]
        rows.append(_row(watch, 5, *cells, number(errors), number(running), size(received), size(sent)))
    table = figures(rows) if samples else ""
    return table + "".join(shorten(f"{name}: {reason}", COLUMNS) + "\n" for name, reason in failures)


def one_service(sample: Sample) -> str:
    """Return all that a print shows of one service: a heading, its methods, its connections."""
    return f"{_heading(sample)}\n{_methods(sample)}\n{_connections(sample)}"


def _heading(sample: Sample) -> str:
    now = sample.now
    text = f": process {now.pid}, up {uptime(now.uptime_ns)}, {plural(now.connected, 'connection')}"
    if sample.interval_ns:
        text += f"; last print {period(sample.interval_ns)} ago"
    return shorten(printable(now.service), COLUMNS - len(text)) + text + "\n"


def _methods(sample: Sample) -> str:
    rows = [_row(sample.watch, 2, "METHOD", "CALLS", "CALLS/S", "ERRORS", "INFLIGHT", "IN", "OUT", "P50", "P99")]
    for m in sample.now.methods:
        recent = sample.method(m)
        cells = [printable(m.name), number(m.calls), rate(recent.rate), number(m.errors), number(m.in_flight)]
        cells += [size(m.request_bytes), size(m.reply_bytes), period(recent.percentile(50)), period(recent.percentile(99))]
        rows.append(_row(sample.watch, 2, *cells))
    return figures(rows)


def _connections(sample: Sample) -> str:
    rows = [_row(sample.watch, 3, "CONNECTION", "PROCESS", "CALLS", "CALLS/S", "INFLIGHT", "MEMORY", "REPLIES", "SPUN", "SLEPT")]
    shown = [c for c in sample.now.connections if _has_called(c)][:SHOWN_CONNECTIONS]
    for c in shown:
        name = f"{c.id}*" if c.pid == os.getpid() else str(c.id)
        process = str(c.pid) if c.pid else "?"  # of a PID namespace into which the server does not see
        cells = [name, process, number(c.calls), rate(sample.connection(c).rate), number(c.in_flight), size(c.memory)]
        rows.append(_row(sample.watch, 3, *cells, size(c.reply_used), number(c.spins_paid), number(c.sleeps)))
    text = figures(rows)
    own = any(c.pid == os.getpid() for c in shown)
    if own:
        text += "* this command's own\n"
    if (hidden := sample.now.connected - len(shown)) > 0:
        text += f"not shown: {plural(hidden, 'connection')}" + (" with fewer calls or none\n" if own else ", this command's own among them\n")
    return text


def _has_called(connection: ConnectionStats) -> bool:
    """Whether a client has done anything but connect."""
    return bool(connection.calls or connection.in_flight or connection.refused)


def _row(watch: bool, rate_index: int, *cells: str) -> list[str]:
    """Return the cells of a row, of which the one at the index is for a watch only."""
    return [cell for i, cell in enumerate(cells) if watch or i != rate_index]
