"""``nanorpc bench --python``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence

from nanorpc.commands.human import rate
from nanorpc.commands.progress import Progress
from nanorpc.commands.table import COLUMNS, figures
from nanorpc.compare.contenders import CASES, Contender, choose, sizes_of
from nanorpc.compare.result import Result, compared_with
from nanorpc.compare.run import Comparison, Plan
from nanorpc.units import size_text, time_text

_HEADER = ("case, contender", "p50", "p99", "calls/s", "×", "p50 of rounds")


def run(cases: Sequence[str], names: Sequence[str], sizes: Sequence[int], duration: float, rounds: int, as_json: bool) -> int:
    """Measure contenders, and print a table, or a line of JSON for each row. Blocks until all is measured, or until Ctrl-C.

    :param cases: which cases; all if there are none.
    :param names: which contenders; all if there are none.
    :param sizes: payload sizes in bytes; the cases' own if there are none.
    :param duration: seconds for each contender, size and round.
    :returns: the exit status: 1 if a contender failed or replied wrongly, or if there is none, 2 for names and sizes that cannot be.
    :raises KeyboardInterrupt: after what had been measured is printed.
    """
    try:
        chosen = choose(cases or CASES, names)
        for case in {contender.case for contender in chosen}:
            sizes_of(case, sizes)
    except ValueError as error:
        print(f"nanorpc: {error}", file=sys.stderr)
        return 2
    absent = dict.fromkeys(contender.name for contender in chosen if not contender.installed())
    if absent:
        print(f"nanorpc: left out, as not installed: {', '.join(absent)}. To get them: pip install 'nanorpc[compare]'", file=sys.stderr)
    present = [contender for contender in chosen if contender.installed()]
    progress = Progress()
    failures: list[Contender] = []

    def failed(contender: Contender, text: str) -> None:
        progress.clear()
        failures.append(contender)
        print(f"nanorpc: {contender.case}, {contender.name}: {text}", file=sys.stderr)

    comparison = Comparison(Plan(present, sizes, duration, rounds), progress.show, failed)
    try:
        comparison.run()
    finally:
        progress.clear()
        _print(comparison.results, as_json)
    wrong = sum(result.total("errors") for result in comparison.results)
    if wrong:
        print(f"nanorpc: {wrong} replies were wrong", file=sys.stderr)
    return 1 if wrong or failures or not present else 0


def _print(results: Sequence[Result], as_json: bool) -> None:
    if as_json:
        for result in results:
            print(json.dumps(result.as_dict(results)))
    elif results:
        print(table(results), end="")


def table(results: Sequence[Result]) -> str:
    """Return results as lines for people, with an empty one between those of different cases and sizes, and what the ratios are to."""
    lines = figures([_HEADER, *(_row(result, results) for result in results)]).splitlines(keepends=True)
    text = lines[0]
    for i, result in enumerate(results):
        if i and (result.case, result.size_bytes) != (results[i - 1].case, results[i - 1].size_bytes):
            text += "\n"
        text += lines[i + 1]
    beside = {result.case: other.contender for result in results if (other := compared_with(result, results))}
    note = "×: how many times as long as NanoRPC's the p50 is"
    note += f" ({', '.join(f'{case}: {name}' for case, name in beside.items())})." if beside else "."
    if "batch" in {result.case for result in results}:
        note += " Times of a batch are a call's share of it."
    return f"{text}\n{textwrap.fill(note, COLUMNS, break_on_hyphens=False)}\n"


def _row(result: Result, results: Sequence[Result]) -> tuple[str, ...]:
    p50, p99 = result.median("p50_ns"), result.median("p99_ns")
    low, high = map(time_text, result.spread())
    beside = compared_with(result, results)
    ratio = _ratio(p50 / beside.median("p50_ns")) if beside else "-"
    name = " ".join((result.case, *([size_text(result.size_bytes)] if result.size_bytes else []), result.contender))
    return name, time_text(p50), time_text(p99), rate(result.median("calls_per_s")), ratio, f"{low}–{high}"


def _ratio(value: float) -> str:
    if value < 0.01:
        return "<0.01"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.1 else f"{value:.2g}"
