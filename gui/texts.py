"""Texts in a fixed font, and to copy."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFont, QFontDatabase, QFontInfo, QGuiApplication, QTextOption
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QWidget

_LONGEST_WORD = 2000


def fixed_font() -> QFont:
    """Return the font of code, whose characters are equally wide."""
    font = QFontDatabase.systemFont(QFontDatabase.FixedFont)
    if not QFontInfo(font).fixedPitch():  # as without a desktop
        font.setFamily("monospace")
        font.setStyleHint(QFont.Monospace)
    return font


def read_only(name: str, wrapped: bool) -> QPlainTextEdit:
    """Return a field that shows code or data.

    :param name: for people who cannot see it.
    """
    text = QPlainTextEdit()
    text.setReadOnly(True)
    text.setTabChangesFocus(True)
    text.setAccessibleName(name)
    text.setFont(fixed_font())
    text.setLineWrapMode(QPlainTextEdit.WidgetWidth if wrapped else QPlainTextEdit.NoWrap)
    return text


def set_text(edit: QPlainTextEdit, text: str) -> None:
    """Show a text. To look for a place to break a very long word takes Qt a quarter of a second: one is broken anywhere."""
    anywhere = any(len(word) > _LONGEST_WORD for word in text.split())
    edit.setWordWrapMode(QTextOption.WrapAnywhere if anywhere else QTextOption.WrapAtWordBoundaryOrAnywhere)
    edit.setPlainText(text)


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
        self.line.setFont(fixed_font())
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
