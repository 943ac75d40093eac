"""How far a command is."""

from __future__ import annotations

import sys

from nanorpc.commands.table import COLUMNS


class Progress:
    """A line on standard error, if that is a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Show a text in place of the last."""
        if self._terminal:
            print(f"\r\033[K{text[: COLUMNS - 1]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        self.show("")
