"""Fields for arguments, one for each kind."""

from __future__ import annotations

import json
from typing import Any

from PyQt5.QtCore import QRegularExpression, Qt
from PyQt5.QtGui import QRegularExpressionValidator, QResizeEvent
from PyQt5.QtWidgets import QCheckBox, QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QSizePolicy, QToolButton, QWidget

from nanorpc.commands.shape import Shape
from nanorpc.gui.call.kinds import NULL, Kind, choices, example, kind_of, may_be_none, text_of, word_of
from nanorpc.gui.texts import fixed_font
from nanorpc.introspection import ParameterInfo

_ROWS = 5
"""Lines to which a text grows before it scrolls."""

_INTEGER = QRegularExpression("-?[0-9]*")
_NUMBER = QRegularExpression("-?(NaN|Infinity|[0-9]*[.]?[0-9]*([eE][-+]?[0-9]*)?)")


class TextField(QPlainTextEdit):
    """A text of one or more lines, as high as it needs. Tab leaves it."""

    def __init__(self, fixed: bool) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        if fixed:
            self.setFont(fixed_font())
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as high as the lines that are broken anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        lines = max(round(self.document().size().height()), 1)  # a plain text's size is in lines
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAsNeeded if lines > _ROWS else Qt.ScrollBarAlwaysOff)
        margins = 2 * (self.document().documentMargin() + self.frameWidth()) + 2
        self.setFixedHeight(round(self.fontMetrics().lineSpacing() * min(lines, _ROWS) + margins))


class Field(QWidget):
    """An argument: a field of its kind, perhaps a box for null, and, if it may be left out, a box that says whether it is given."""

    def __init__(self, parameter: ParameterInfo) -> None:
        super().__init__()
        self.parameter = parameter
        self._shape = Shape.parse(parameter.schema)
        self.kind = kind_of(self._shape)
        self.editor = self._make_editor()
        self.editor.setAccessibleName(f"Argument {parameter.name}")
        self.editor.setToolTip(f"{parameter}\n{self.kind.value}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.given = QCheckBox()
        self.given.setAccessibleName(f"Give {parameter.name}")
        self.given.setToolTip("whether this argument is given; else its default counts")
        if not parameter.required:
            layout.addWidget(self.given)
        self.given.setChecked(parameter.required)
        layout.addWidget(self.editor, 1)
        if self.kind is Kind.BYTES:
            button = QToolButton()
            button.setText("File…")
            button.setAccessibleName(f"File for {parameter.name}")
            button.clicked.connect(self._choose_file)
            layout.addWidget(button)
        self.null = QCheckBox("null")
        self.null.setAccessibleName(f"{parameter.name} is null")
        if self.kind is not Kind.JSON and may_be_none(self._shape):
            layout.addWidget(self.null)
        self.setFocusProxy(self.editor)
        self._reset()
        self.given.toggled.connect(self._enable)
        self.null.toggled.connect(self._enable)
        self._enable()

    def word(self) -> str | None:
        """Return what stands for the argument on the command line; None if it is not given."""
        if not self.given.isChecked():
            return None
        if self.null.isChecked():
            return NULL
        if isinstance(self.editor, QComboBox):
            return json.dumps(self.editor.currentData(), ensure_ascii=False)
        if isinstance(self.editor, QCheckBox):
            return json.dumps(self.editor.isChecked())
        return word_of(self._text(), self.kind, self._shape)

    def set_word(self, word: str | None) -> None:
        """Make the field such that :meth:`word` returns this."""
        self.given.setChecked(word is not None)
        if word is None:
            self._reset()
            return
        self.null.setChecked(word == NULL and self.kind is not Kind.JSON and may_be_none(self._shape))
        if not self.null.isChecked():
            self._show(word)

    def _make_editor(self) -> QComboBox | QCheckBox | QLineEdit | TextField:
        if self.kind is Kind.CHOICE:
            combo = QComboBox()
            for value in choices(self._shape) or ():
                combo.addItem(value if isinstance(value, str) else json.dumps(value), value)
            return combo
        if self.kind is Kind.TRUTH:
            return QCheckBox("true")
        if self.kind in (Kind.TEXT, Kind.JSON):
            text = TextField(fixed=self.kind is Kind.JSON)
            text.setPlaceholderText(self.kind.value)
            return text
        line = QLineEdit()
        line.setPlaceholderText(self.kind.value)
        if self.kind is not Kind.BYTES:
            line.setValidator(QRegularExpressionValidator(_INTEGER if self.kind is Kind.INTEGER else _NUMBER, line))
        return line

    def _reset(self) -> None:
        """Show the default, or something that fits."""
        self.null.setChecked(False)
        if self.parameter.default == NULL and self.kind is not Kind.JSON and may_be_none(self._shape):
            self.null.setChecked(True)
        elif self.parameter.default:
            self._show(self.parameter.default)
        elif self.kind is Kind.JSON:
            self._show(json.dumps(example(self._shape), ensure_ascii=False))
        elif self.kind in (Kind.INTEGER, Kind.NUMBER):
            self._show("0")

    def _show(self, word: str) -> None:
        if isinstance(self.editor, QComboBox | QCheckBox):
            value = _value(word)
            if isinstance(self.editor, QComboBox):
                self.editor.setCurrentIndex(max(self.editor.findData(value), 0))
            else:
                self.editor.setChecked(value is True)
        elif isinstance(self.editor, QLineEdit):
            self.editor.setText(text_of(word, self.kind))
        else:
            self.editor.setPlainText(text_of(word, self.kind))

    def _text(self) -> str:
        if isinstance(self.editor, TextField):
            return self.editor.toPlainText()
        return self.editor.text() if isinstance(self.editor, QLineEdit) else ""

    def _enable(self) -> None:
        given = self.given.isChecked()
        self.null.setEnabled(given)
        self.editor.setEnabled(given and not self.null.isChecked())

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, f"File for {self.parameter.name}")
        if name:
            self.given.setChecked(True)
            self._show(f"@{name}")

    def mousePressEvent(self, event: Any) -> None:
        """A click on the field of an argument that is not given gives it."""
        if event.button() == Qt.LeftButton and not self.given.isChecked():
            self.given.setChecked(True)
            self.editor.setFocus()
        super().mousePressEvent(event)


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word
