"""A benchmark as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from nanorpc.gui.record import Record, load_text
from nanorpc.gui.results.charts import ResultsView
from nanorpc.gui.results.ratios import Row, rows
from nanorpc.reports import page
from nanorpc.reports.ratio import Ratio
from nanorpc.units import size_text, time_text

_NOTE = """Times and rates are medians of the rounds. Ratios are medians of the rounds' ratios of p50, with the least and the greatest: to a Unix
stream socket (how many times as fast), and to the floor (how many times as long), which is two processes that spin on shared memory."""
_CLOSED = "The loop was closed: a call began when the last had ended, so these are round-trip times."
_PACED = "Calls were due at even intervals, and each was timed from when it was due, also if those before it kept it waiting."


def report(view: ResultsView, pictures: Sequence[tuple[bytes, bytes]]) -> str:
    """Return the page, with SVG pictures in it, each light and dark."""
    header = ["transport", "payload", "load", "p50", "p99", "p99.9", "calls/s", "× faster than uds", "× the floor"]
    if view.baseline:
        header.append("vs baseline")
    parts = [
        "<h1>NanoRPC benchmark</h1>",
        f"<p>{escape(view.run.title)}</p>",
        page.about(_about(view)),
        "<h2>Figures</h2>",
        page.table(header, [_cells(row, view.baseline is not None) for row in rows(view.run, view.baseline)]),
        f'<p class="note">{_NOTE} {_PACED if view.run.plan.rates else _CLOSED}</p>',
        "<h2>Plots</h2>",
        *(page.picture(light, dark, "plot") for light, dark in pictures),
    ]
    return page.page(f"NanoRPC: {view.run.title}", "\n".join(parts))


def _about(view: ResultsView) -> Iterable[tuple[str, str]]:
    run = view.run
    yield from run.machine.items()
    yield "settings", settings_text(run)
    yield "took", f"{run.seconds:.1f} s, {run.state}"
    if view.baseline:
        yield "baseline", f"{view.baseline.title}; NanoRPC {view.baseline.machine.get('nanorpc', '?')}, {view.baseline.machine.get('kernel', '?')}"


def settings_text(run: Record) -> str:
    """Return a plan in a line."""
    plan = run.plan
    parts = [f"{plan.rounds} rounds of {plan.duration_ms:,} ms", f"{plan.warmup_ms:,} ms warm-up", f"spin {plan.spin}"]
    return ", ".join([*parts, "pinned" if plan.pin else "not pinned"])


def _cells(row: Row, compared: bool) -> list[str]:
    case = row.case
    cells = [case.transport, size_text(case.size_bytes), load_text((case.inflight, case.rate))]
    cells += [time_text(ns) for ns in (case.p50_ns, case.p99_ns, case.p999_ns)]
    cells += [f"{case.calls_per_s:,.0f}", _text(row.to_uds), _text(row.to_floor)]
    if compared:
        cells.append("" if row.to_baseline is None else f"{(row.to_baseline - 1) * 100:+.1f} %")
    return cells


def _text(ratio: Ratio | None) -> str:
    return ratio.text if ratio else ""
