"""``python -m nanorpc.compare``: NanoRPC beside what people would use instead, in Go and in Python, in one run, with a report."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from nanorpc.commands.options import count, names, positive
from nanorpc.commands.progress import Progress
from nanorpc.commands.table import COLUMNS, texts
from nanorpc.compare.contenders import GO, IDLE, LONGER, Contender
from nanorpc.compare.full import CASES, Case, Entrant, choose_cases, choose_entrants
from nanorpc.compare.machine import machine, versions
from nanorpc.compare.rows import row
from nanorpc.compare.run import Comparison, Plan

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

_STARTS = 0.4  # s, roughly, for a process to start, to estimate how long it all takes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 1 if a contender failed or replied wrongly, or there was nothing to measure."""
    options = _parser().parse_args(arguments)
    try:
        cases, entrants = choose_cases(options.cases), choose_entrants(options.contenders)
        if options.go and not Path(options.go).is_dir():
            raise ValueError(f"there is no folder {options.go}: --go takes the one with the programs in Go, which make compare builds")
    except ValueError as error:
        print(f"nanorpc.compare: {error}", file=sys.stderr)
        return 2
    if options.list:
        print(_listed(cases, entrants), end="")
        return 0
    rounds = options.rounds or (2 if options.quick else 5)
    duration = options.duration or (0.1 if options.quick else 0.5)
    there, missing = _there(cases, entrants, options.go)
    command = shlex.join(["python", "-m", "nanorpc.compare", *(sys.argv[1:] if arguments is None else arguments)])
    about = {
        "machine": machine(),
        "versions": versions(there, options.go),
        "command": command,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rounds": rounds,
        "duration_s": duration,
        "absent": [*_absent(cases, entrants), *missing],
    }
    for reason in dict.fromkeys(f"{one['language']}/{one['contender']} is left out: {one['reason']}" for one in missing):
        print(f"nanorpc.compare: {reason}", file=sys.stderr)
    options.output.mkdir(parents=True, exist_ok=True)
    results = options.output / "results.jsonl"
    with results.open("w", encoding="utf-8") as file:
        _write(file, about)
        run = _Run(file, [contender for case in cases for entrant in there for contender in entrant.contenders(case, options.go)], rounds, duration)
        try:
            run.measure()
        except KeyboardInterrupt:
            print("nanorpc.compare: interrupted: the report is of what has been measured", file=sys.stderr)
            run.status = INTERRUPTED
    if not run.rows:
        print("nanorpc.compare: nothing has been measured", file=sys.stderr)
        return run.status or 1
    from nanorpc.compare.report import write

    for path in [results, *write(results, options.output)]:
        print(path)
    return run.status


class _Run:
    """Measures, a case after the other, and writes the lines of each when it has ended."""

    def __init__(self, file: TextIO, contenders: Sequence[Contender], rounds: int, duration: float) -> None:
        self._file = file
        self._contenders = contenders
        self._rounds = rounds
        self._duration = duration
        self._progress = Progress()
        self._began = time.monotonic()
        self._total = sum(self._seconds(contender) * len(contender.sizes) for contender in contenders) * rounds
        self._done = 0.0
        self._current = 0.0
        self.status = 0
        self.rows = 0

    def measure(self) -> None:
        """Measure all. Blocks as long as that takes."""
        try:
            for case in dict.fromkeys(contender.case for contender in self._contenders):
                contenders = [contender for contender in self._contenders if contender.case == case]
                self._comparison = Comparison(Plan(contenders, (), self._duration, self._rounds), self._show, self._failed)
                try:
                    self._comparison.run()
                finally:
                    for result in self._comparison.results:
                        self._add(row(result))
        finally:
            self._progress.clear()

    def _add(self, line: dict[str, Any]) -> None:
        _write(self._file, line)
        self.rows += 1
        if line.get("errors"):
            self._progress.clear()
            print(f"nanorpc.compare: {line['case']}, {line['language']}/{line['contender']}: {line['errors']} replies were wrong", file=sys.stderr)
            self.status = 1

    def _failed(self, contender: Contender, text: str) -> None:
        self._progress.clear()
        print(f"nanorpc.compare: {contender.case}, {contender.language}/{contender.name}: {text}", file=sys.stderr)
        self.status = 1

    def _seconds(self, contender: Contender) -> float:
        """Estimate how long a turn of a contender takes."""
        starts = 0.0 if contender.stays else _STARTS * (1 + contender.clients)
        return starts + self._duration * contender.patience * (1 if contender.case == IDLE else 2.5 if contender.clients > 1 else 1.5)

    def _show(self, text: str) -> None:
        contender = self._comparison.turn
        self._done += self._current
        self._current = self._seconds(contender) if contender else 0
        left = ""
        if self._done:
            seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
            left = f"{seconds / 60:.0f} min left: " if seconds >= 90 else f"{seconds:.0f} s left: "
        self._progress.show(left + text)


def _write(file: TextIO, line: dict[str, Any]) -> None:
    file.write(json.dumps(line) + "\n")
    file.flush()


def _there(cases: Sequence[Case], entrants: Sequence[Entrant], programs: str) -> tuple[list[Entrant], list[dict[str, str]]]:
    """Return who can be measured here, and why not the others, for each case."""
    there, missing = [], []
    for entrant in entrants:
        if entrant.language == GO and not programs:
            reason = "no folder has been given with its program: --go DIR"
        elif entrant.language == GO and not Path(entrant.path(programs)).is_file():
            reason = f"there is no program {entrant.path(programs)}"
        elif not Contender("", entrant.name, "", needs=entrant.needs).installed():
            reason = f"not all of it is installed: {entrant.needs}"
        else:
            there.append(entrant)
            continue
        missing += [_line(case, entrant, reason) for case in cases if entrant.contenders(case, "")]
    return there, missing


def _absent(cases: Sequence[Case], entrants: Sequence[Entrant]) -> list[dict[str, str]]:
    return [_line(case, entrant, entrant.absent[case.name]) for case in cases for entrant in entrants if case.name in entrant.absent]


def _line(case: Case, entrant: Entrant, reason: str) -> dict[str, str]:
    return {"case": case.name, "contender": entrant.name, "language": entrant.language, "reason": reason}


def _listed(cases: Sequence[Case], entrants: Sequence[Entrant]) -> str:
    of_cases = texts([("case", "what is measured"), *((case.name, case.about) for case in cases)])
    return of_cases + "\n" + texts([("contender", "cases"), *((entrant.title, _parts(cases, entrant)) for entrant in entrants)])


def _parts(cases: Sequence[Case], entrant: Entrant) -> str:
    return ", ".join(case.name for case in cases if entrant.contenders(case, "")) or "none of these"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nanorpc.compare",
        description=__doc__.partition(": ")[2] if __doc__ else None,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=COLUMNS),
    )
    parser.add_argument("--go", default="", metavar="DIR", help="the folder with the programs of the contenders in Go, which are left out without")
    parser.add_argument(
        "--output", type=Path, default=Path("out/compare"), metavar="DIR", help="where results.jsonl and the report go (default: out/compare)"
    )
    parser.add_argument("--cases", type=names, default=[], metavar="A,B", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument(
        "--contenders", type=names, default=[], metavar="A,B", help="as in nanorpc,go/uds,python/uds: see --list (default: all that are there)"
    )
    parser.add_argument("--rounds", type=count, metavar="N", help="in each, all contenders take turns (default: 5)")
    parser.add_argument("--duration", type=positive, metavar="SECONDS", help=f"for each contender, size and round; {LONGER} (default: 0.5)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.1 s, to see that all works")
    parser.add_argument("--list", action="store_true", help="list the cases, and who takes part in which")
    return parser


if __name__ == "__main__":
    sys.exit(main())
