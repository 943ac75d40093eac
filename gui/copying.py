"""Texts to copy."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFontDatabase, QGuiApplication
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget


def copy(text: str) -> None:
    """Put a text on the clipboard."""
    QGuiApplication.clipboard().setText(text)


class CommandLine(QWidget):
    """A command to copy."""

    copied = pyqtSignal(str)

    def __init__(self, command: str) -> None:
        super().__init__()
        self.line = QLineEdit(command)
        self.line.setReadOnly(True)
        self.line.setCursorPosition(0)
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.line.setAccessibleName("Command")
        self.button = QPushButton("Cop&y")
        self.button.setAccessibleName("Copy the command")
        self.button.clicked.connect(self._copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)

    def _copy(self) -> None:
        copy(self.line.text())
        self.copied.emit("Copied")
