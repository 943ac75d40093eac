"""A benchmark as a page that needs no other file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from nanorpc.gui.record import Record, load_text
from nanorpc.gui.results.charts import ResultsView
from nanorpc.gui.results.ratios import Ratio, Row, rows
from nanorpc.units import size_text, time_text

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>NanoRPC: $title</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2128; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .8em; border-bottom: 1px solid #d5dae0; text-align: right; white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; }
.about td { text-align: left; } .wide { overflow-x: auto; } .note { color: #5c6570; }
img { max-width: 100%; display: block; margin: 1em 0; }
</style>
</head>
<body>
<h1>NanoRPC benchmark</h1>
<p>$title</p>
<table class="about">$about</table>
<h2>Figures</h2>
<div class="wide"><table><thead><tr>$header</tr></thead><tbody>
$rows
</tbody></table></div>
<p class="note">Times and rates are medians of the rounds. Ratios are medians of the rounds' ratios of p50, with the least and the greatest: to a Unix
stream socket (how many times as fast), and to the floor (how many times as long), which is two processes that spin on shared memory. $loop</p>
<h2>Plots</h2>
$pictures
</body>
</html>
""")

_CLOSED = "The loop was closed: a call began when the last had ended, so these are round-trip times."
_PACED = "Calls were due at even intervals, and each was timed from when it was due, also if those before it kept it waiting."


def report(view: ResultsView, pictures: Sequence[bytes]) -> str:
    """Return the page, with SVG pictures in it."""
    header = ["transport", "payload", "load", "p50", "p99", "p99.9", "calls/s", "× faster than uds", "× the floor"]
    if view.baseline:
        header.append("vs baseline")
    return _PAGE.substitute(
        title=escape(view.run.title),
        about="".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in _about(view)),
        header="".join(f"<th>{escape(name)}</th>" for name in header),
        rows="\n".join(_line(_cells(row, view.baseline is not None)) for row in rows(view.run, view.baseline)),
        loop=_PACED if view.run.plan.rates else _CLOSED,
        pictures="\n".join(f'<img alt="plot" src="data:image/svg+xml;base64,{b64encode(picture).decode()}">' for picture in pictures),
    )


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


def _line(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
