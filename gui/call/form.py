"""A form for the arguments of a method, made from its signature."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFormLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from nanorpc.commands.human import printable, shorten
from nanorpc.gui.call.fields import Field
from nanorpc.introspection import MethodInfo

_LONGEST_NAME = 18


class Form(QScrollArea):
    """A field for each argument of a method."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[Field] = []
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setAccessibleName("Arguments")
        self.show_method(MethodInfo(name=""))

    def show_method(self, info: MethodInfo) -> None:
        """Show the fields of another method."""
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 4, 4, 4)
        self.fields = [Field(parameter) for parameter in info.parameters]
        if not self.fields:
            text = "This method takes no arguments." if info.kind == "typed" else "This method takes bytes: text, hex, or a file."
            nothing = QLabel(text if info.name else "Choose a method: its arguments come here.")
            nothing.setWordWrap(True)
            layout.addWidget(nothing)
        rows = QFormLayout()
        rows.setRowWrapPolicy(QFormLayout.DontWrapRows)
        rows.setFieldGrowthPolicy(QFormLayout.AllNonFixedFieldsGrow)
        for field in self.fields:
            label = QLabel(shorten(printable(field.parameter.name), _LONGEST_NAME))
            label.setToolTip(printable(str(field.parameter)))
            label.setBuddy(field.editor)
            label.setSizePolicy(QSizePolicy.Minimum, QSizePolicy.Preferred)
            rows.addRow(label, field)
        layout.addLayout(rows)
        layout.addStretch(1)
        self.setWidget(inner)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Return the names of the arguments that are given, and what stands for them on the command line."""
        words = [(field.parameter.name, field.word()) for field in self.fields]
        return tuple((name, word) for name, word in words if word is not None)

    def set_words(self, words: Sequence[tuple[str, str]]) -> None:
        """Fill the form."""
        given = dict(words)
        for field in self.fields:
            field.set_word(given.get(field.parameter.name))
