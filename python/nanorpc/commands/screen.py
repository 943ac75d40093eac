"""Texts one after the other on standard output."""

from __future__ import annotations

import os
import sys

_CLEAR = "\x1b[H\x1b[J"  # ECMA-48: the cursor to the beginning (CUP), and what follows erased (ED)


class Screen:
    """Shows a text in place of the one before where standard output is a terminal, else below it.

    :param redraw: whether there is more than one text; a single one has all its lines, and erases nothing.
    """

    def __init__(self, redraw: bool) -> None:
        self._terminal = redraw and sys.stdout.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        """Show a text of whole lines."""
        if self._terminal:
            text = _CLEAR + fit(text, os.get_terminal_size(sys.stdout.fileno()).lines)
        elif self._shown:
            text = "\n" + text
        self._shown = True
        print(text, end="", flush=True)


def fit(text: str, height: int) -> str:
    """Return a text without the lines for which a terminal of that height has no room, and how many these are. The cursor takes a line.

    What scrolls away would not be replaced by the next text. A height of 0 is not known.
    """
    lines = text.splitlines(keepends=True)
    if height == 0 or len(lines) < height:
        return text
    room = max(height - 2, 1)
    return "".join(lines[:room]) + f"{len(lines) - room} more lines: make the window taller\n"
