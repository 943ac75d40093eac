"""What a check has come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but is slow or may fail later."""
    PROBLEM = "problem"
    """It does not work."""


@dataclass(frozen=True)
class Finding:
    """What a check has found. All texts are for people."""

    check: str
    """What was looked at."""
    verdict: Verdict
    found: str
    remedy: str = ""
    """How to mend it; empty if the verdict is ok."""


def ok(check: str, found: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Return a finding that works, but not well or not for long."""
    return Finding(check, Verdict.WARNING, found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """Return a finding with which NanoRPC does not work."""
    return Finding(check, Verdict.PROBLEM, found, remedy)
