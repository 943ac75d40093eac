"""Types of options."""

from __future__ import annotations

import argparse


def names(text: str) -> list[str]:
    """Return what is between commas."""
    return [name.strip() for name in text.split(",")]


def positive(text: str) -> float:
    """Return a number of seconds."""
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError("use more than 0 and up to 600 seconds")
    return value


def count(text: str) -> int:
    """Return a number of things, of which there is at least one."""
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("use 1 to 1000")
    return value
