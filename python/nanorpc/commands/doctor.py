"""``nanorpc doctor``: whether NanoRPC works here."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict

from nanorpc.commands.table import COLUMNS
from nanorpc.doctor import Finding, Verdict, examine

_INDENT = " " * 9  # the longest verdict, and two spaces


def run(directory: str | None, as_json: bool) -> int:
    """Print what each check finds and how to mend it. Returns 0, or 1 if there is a problem.

    As JSON: an array of objects with the keys ``check``, ``verdict`` (``ok``, ``warning`` or ``problem``), ``found`` and ``remedy``.
    """
    findings = []
    for finding in examine(directory):
        findings.append(finding)
        if not as_json:
            print(_text(finding), end="", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    return 1 if any(finding.verdict is Verdict.PROBLEM for finding in findings) else 0


def _text(finding: Finding) -> str:
    lines = _wrapped(f"{finding.verdict.value:<{len(_INDENT)}}{finding.check}: {finding.found}")
    if finding.remedy:
        lines += _wrapped(f"{_INDENT}to mend it: {finding.remedy}")
    return "".join(line + "\n" for line in lines)


def _wrapped(text: str) -> list[str]:
    """Break between words: paths and commands stay whole, to be copied."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False)
