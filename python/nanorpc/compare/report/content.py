"""What a report says, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nanorpc.compare.contenders import LONGER
from nanorpc.compare.report.bars import Bar, bars, behind_at_p99
from nanorpc.compare.report.document import About, Block, Bullets, Command, Heading, Line, Paragraph, Picture, Table
from nanorpc.compare.report.plots import PLOTS
from nanorpc.compare.report.rows import IDLE, Comparison, Row
from nanorpc.compare.report.tables import table
from nanorpc.units import size_text

_CASES = {
    "echo": ("One call at a time", "Bytes there and back in a closed loop: a call begins when the last has ended."),
    "inflight": ("Many calls in flight", "Callers of one process at once, each in a closed loop."),
    "clients": ("Several client processes", "They start at the same moment, each with one call at a time."),
    "rate": ("At a fixed rate", "Calls are due at even intervals, and each is timed from when it was due, also if those before it kept it waiting."),
    "beside": (
        "Beside a thread that computes",
        "One call at a time, while another thread of the client computes in Python. Whoever releases the interpreter's lock to wait for a reply "
        "gets it back when the interpreter takes it from that thread, 5 ms later.",
    ),
    "typed": ("A typed call", "add(2, 3), for those that have types."),
    "array": ("An array", "NumPy numbers of type float32 there and back, as each would pass them."),
    IDLE: ("Idle", "Parts of one CPU, while clients are connected that have called once and do nothing."),
}

_HOW = (
    "Client and server are processes of their own. In each round all contenders of a case and size take turns; figures are medians over the rounds, "
    "with the lowest and the highest p50 of a round. × NanoRPC is how many times as long the p50 is as that of ordinary NanoRPC calls in the same "
    "language, with the least and the greatest ratio of a round; less than 1 is faster than NanoRPC. CPU per call is that of the client's and "
    "of the server's process. The floor is two processes that do nothing but spin on shared memory, and with limit-copy copy the payload in and out."
)


def content(comparison: Comparison) -> list[Block]:
    """Return the report."""
    return [
        Heading(1, "NanoRPC beside what people use instead"),
        *_about(comparison),
        Heading(2, "The bars"),
        *_bars(comparison),
        Heading(2, "Plots"),
        *(Picture(plot.name, plot.description) for plot in PLOTS if plot.has(comparison)),
        Heading(2, "Figures"),
        Paragraph(_HOW),
        *_figures(comparison),
        *_left_out(comparison),
    ]


def _about(comparison: Comparison) -> Iterator[Block]:
    about = comparison.about
    if about:
        lines = [("machine", _machine(about.get("machine") or {}))]
        lines.append(("versions", ", ".join(f"{name} {version}" for name, version in (about.get("versions") or {}).items())))
        lines.append(("measured", str(about.get("date", ""))))
        if "rounds" in about and "duration_s" in about:
            lines.append(("rounds", f"{about['rounds']} of {about['duration_s']:g} s for each contender, case and size; {LONGER}"))
        yield About([(name, value) for name, value in lines if value])
        if command := about.get("command"):
            yield Command(str(command))
    missing = [case for case in _CASES if not any(row.case == case for row in comparison.rows)]
    if missing:
        yield Paragraph(f"Not measured: {', '.join(missing)}.")
    if comparison.cut:
        yield Paragraph("The last line of the results is cut off; the report is of those before it.")
    if comparison.failed:
        yield Paragraph("Could not be measured:")
        yield Bullets([f"{_which(row)}{f': {row.first_error}' if row.first_error else ''}" for row in comparison.failed])


def _machine(machine: dict[str, Any]) -> str:
    parts = [
        f"{machine['cpus']} CPUs" if "cpus" in machine else "",
        str(machine.get("cpu", "")),
        str(machine.get("kernel", "")),
    ]
    parts.append(f"{size_text(machine['memory_bytes'])} of memory" if "memory_bytes" in machine else "")
    virtual = machine.get("virtual")
    parts.append("" if not virtual else "virtual" if virtual is True else f"virtual ({virtual})")
    return ", ".join(part for part in parts if part)


def _which(row: Row) -> str:
    return f"{row.language}, {row.group.text if row.case != IDLE else IDLE}, {row.contender}"


def _bars(comparison: Comparison) -> Iterator[Block]:
    found = bars(comparison)
    losses = [loss for bar in found for loss in bar.losses]
    wrong = [f"{_which(row)}: {row.errors:,} of {row.calls:,} replies were wrong." for row in comparison.rows if row.errors and row.ours]
    yield Heading(3, "Where NanoRPC is behind")
    if losses or wrong:
        yield Bullets([*wrong, *losses])
    else:
        yield Paragraph("Nowhere, in what was measured.")
    if slower := behind_at_p99(comparison):
        yield Heading(3, "Where it is behind at the 99th percentile")
        yield Bullets(slower)
    yield Heading(3, "All bars")
    ordered = sorted(found, key=lambda bar: not bar.lost)
    yield Table(["bar", "language", "verdict", "figure"], [_line(bar) for bar in ordered], (0, 1, 2, 3))


def _line(bar: Bar) -> Line:
    return Line([bar.title, bar.language, bar.verdict, bar.figure], "lost" if bar.lost else "" if bar.checks else "faint")


def _figures(comparison: Comparison) -> Iterator[Block]:
    cases = [*_CASES, *dict.fromkeys(row.case for row in comparison.rows if row.case not in _CASES)]
    for case in cases:
        languages = comparison.languages(case)
        if not languages:
            continue
        title, text = _CASES.get(case, (case, ""))
        yield Heading(3, title)
        if text:
            yield Paragraph(text)
        for language in languages:
            yield Heading(4, language)
            yield table(comparison, case, language)
        wrong = [row for row in comparison.rows if row.case == case and row.errors]
        if wrong:
            yield Bullets([f"{_which(row)}: {row.errors:,} of {row.calls:,} replies were wrong. {row.first_error}".strip() for row in wrong])


def _left_out(comparison: Comparison) -> Iterator[Block]:
    cases: dict[tuple[str, str, str], list[str]] = {}
    for absent in comparison.about.get("absent") or []:
        key = absent.get("language", ""), absent.get("contender", ""), absent.get("reason", "")
        cases.setdefault(key, []).append(absent.get("case", ""))
    if cases:
        yield Heading(3, "Left out")
        yield Bullets([f"{language}, {name}, in {', '.join(where)}: {reason}." for (language, name, reason), where in cases.items()])
