"""A table for each case and language."""

from __future__ import annotations

from collections.abc import Sequence

from nanorpc.compare.report.bars import THROUGHPUT, share_text, times_as_long, times_as_many
from nanorpc.compare.report.document import Line, Table
from nanorpc.compare.report.rows import IDLE, Comparison, Group, Row, reference
from nanorpc.reports.ratio import number_text
from nanorpc.units import time_text


def table(comparison: Comparison, case: str, language: str) -> Table:
    """Return what the contenders came to, NanoRPC's rows and the floor's marked."""
    if case == IDLE:
        return _idle(comparison.of(case, language), language)
    groups = comparison.groups([case], language)
    header = ["contender", "language", "p50 (rounds)", "p99", "calls/s", "CPU per call", "× fewer calls/s" if case in THROUGHPUT else "× NanoRPC"]
    several = len(groups) > 1
    lines = [line for group, rows in groups.items() for line in _lines(group, rows, language, several)]
    return Table(["", *header], lines, (0, 1, 2)) if several else Table(header, lines, (0, 1))


def _lines(group: Group, rows: Sequence[Row], language: str, several: bool) -> list[Line]:
    ours = reference(rows, language)
    throughput = group.case in THROUGHPUT
    ordered = sorted(rows, key=lambda row: (not row.floor, -row.calls_per_s if throughput else row.p50_ns))
    lines = []
    for i, row in enumerate(ordered):
        cells = [row.contender, "floor" if row.floor else row.language, f"{time_text(row.p50_ns)}{_spread(row)}", time_text(row.p99_ns)]
        cells += [f"{row.calls_per_s:,.0f}{'' if row.kept_rate else ' (too few)'}", _cpu(row), _times(row, ours, throughput)]
        lines.append(Line([*([group.text if i == 0 else ""] if several else []), *cells], _mark(row)))
    return lines


def _spread(row: Row) -> str:
    return f" ({time_text(row.p50_low_ns)} – {time_text(row.p50_high_ns)})" if row.p50_high_ns else ""


def _cpu(row: Row) -> str:
    if row.client_cpu_ns is None or row.server_cpu_ns is None:
        return ""
    return f"{time_text(row.client_cpu_ns)} + {time_text(row.server_cpu_ns)}"


def _times(row: Row, ours: Row | None, throughput: bool) -> str:
    if ours is None or row is ours:
        return "" if ours is None else "1"
    if throughput:
        return number_text(times_as_many(ours, row))
    return times_as_long(row, ours).text


def _idle(rows: Sequence[Row], language: str) -> Table:
    ours = reference(rows, language)
    base = ours.idle_share if ours else None
    lines = []
    for row in sorted(rows, key=lambda row: row.idle_share or 0):
        shares = [share_text(share) for share in (row.server_cpu_share, row.clients_cpu_share, row.idle_share) if share is not None]
        lines.append(Line([row.contender, row.language, *shares, number_text((row.idle_share or 0) / base) if base else ""], _mark(row)))
    clients = max(row.clients for row in rows)
    return Table(["contender", "language", "server", f"{clients} clients", "together", "× NanoRPC"], lines, (0, 1))


def _mark(row: Row) -> str:
    return "faint" if row.floor else "ours" if row.ours else ""
