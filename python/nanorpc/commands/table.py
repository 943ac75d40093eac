"""Tables for people, within 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nanorpc.commands.human import shorten

COLUMNS = 80
"""How many characters a line may have."""

_GAP = "  "


def figures(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines: the first column, names, to the left and shortened to what the others leave; those to the right, as numbers are."""
    widths = _widths(rows)
    others = sum(widths[1:]) + len(_GAP) * (len(widths) - 1)
    widths[0] = max(1, min(widths[0], COLUMNS - others))
    lines = []
    for name, *values in rows:
        cells = [f"{shorten(name, widths[0]):<{widths[0]}}"] + [f"{value:>{width}}" for value, width in zip(values, widths[1:], strict=True)]
        lines.append(_GAP.join(cells).rstrip() + "\n")
    return "".join(lines)


def texts(rows: Sequence[Sequence[str]], longest_name: int = 28) -> str:
    """Return rows as lines, all to the left: the last column is broken into several lines where it does not fit, and the first is shortened."""
    widths = [min(width, longest_name) for width in _widths(rows)[:-1]]
    margin = sum(widths) + len(_GAP) * len(widths)
    lines = []
    for *cells, text in rows:
        start = "".join(f"{shorten(cell, width):<{width}}{_GAP}" for cell, width in zip(cells, widths, strict=True))
        broken = textwrap.wrap(text, COLUMNS - margin, break_on_hyphens=False) or [""]
        lines += [(start + broken[0]).rstrip()] + [" " * margin + line for line in broken[1:]]
    return "".join(line + "\n" for line in lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
