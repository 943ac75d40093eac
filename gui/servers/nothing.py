"""What is shown where no server runs."""

from __future__ import annotations

import os
import shlex
import sys

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from nanorpc.gui.texts import CommandLine
from nanorpc.gui.theme import mark

_PROGRAM = (
    'import nanorpc; s = nanorpc.Service("hello"); s.method(name="greet")(lambda name="world": f"hello, {name}"); nanorpc.serve(s, traceback=True)'
)


def starting_command(directory: str | os.PathLike[str] | None) -> str:
    """Return a command for a shell that starts a server which this dashboard finds."""
    place = [f"NANORPC_DIR={shlex.quote(os.fspath(directory))}"] if directory is not None else []
    return " ".join([*place, shlex.join([sys.executable, "-c", _PROGRAM])])


class Nothing(QWidget):
    """Says that no server runs, and how to start one."""

    copied = pyqtSignal(str)

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self.title = QLabel("No service is running")
        mark(self.title, "heading")
        self.title.setAlignment(Qt.AlignCenter)
        self.text = QLabel()
        self.text.setAlignment(Qt.AlignCenter)
        self.text.setWordWrap(True)
        self.command = CommandLine(starting_command(directory))
        self.command.copied.connect(self.copied)
        more = QLabel("Your own: <b>nanorpc serve MODULE:SERVICE</b>. What starts appears here by itself.")
        more.setAlignment(Qt.AlignCenter)
        more.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(48, 24, 48, 24)
        layout.addStretch(2)
        for widget in (self.title, self.text, self.command, more):
            layout.addWidget(widget)
            layout.addSpacing(8)
        layout.addStretch(3)
        self.show_problem("")

    def show_problem(self, problem: str) -> None:
        """Show why servers cannot be found; an empty text for that there are none."""
        self.title.setText("The service directory cannot be read" if problem else "No service is running")
        self.text.setText(problem or "To see one, paste this into a terminal; Ctrl-C there ends it.")
