"""Where a payload is written: a form, JSON, text, hex digits, or the name of a file."""

from __future__ import annotations

import json

from PyQt5.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QTabWidget, QVBoxLayout, QWidget

from nanorpc.commands.shape import Shape
from nanorpc.gui.call.form import Form
from nanorpc.gui.call.kinds import example
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.texts import fixed_font, set_text
from nanorpc.introspection import MethodInfo

_HINTS = {
    Mode.JSON: "A list of the arguments in order, or an object of them by name. Bytes are base64, arrays are lists.",
    Mode.TEXT: "Sent as it is, in UTF-8.",
    Mode.HEX: "Pairs of digits, with or without blanks between.",
}


class Payload(QTabWidget):
    """A tab for each way to write a payload. Which there are depends on the method."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Payload")
        self.setDocumentMode(True)
        self.form = Form()
        self.texts = {mode: _Text(mode) for mode in _HINTS}
        self.file = _File()
        self._modes = list(Mode)
        pages: dict[Mode, QWidget] = {Mode.FORM: self.form, **self.texts, Mode.FILE: self.file}
        for mode in self._modes:
            self.addTab(pages[mode], mode.value)
        self._info = MethodInfo(name="")

    @property
    def mode(self) -> Mode:
        """The way that is chosen."""
        return self._modes[self.currentIndex()]

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self.setCurrentIndex(self._modes.index(mode))

    def show_method(self, info: MethodInfo) -> None:
        """Make a form for a method. What has been written in other ways stays."""
        if info == self._info:
            return
        self._info = info
        self.form.show_method(info)
        typed = info.kind == "typed"
        self.setTabEnabled(self._modes.index(Mode.FORM), typed)
        self.setTabToolTip(self._modes.index(Mode.JSON), "" if typed else "sent as MessagePack, as methods with types take it")
        if typed:
            self.mode = Mode.FORM
            names = [parameter for parameter in info.parameters if parameter.required]
            skeleton = {parameter.name: example(Shape.parse(parameter.schema)) for parameter in names}
            self.texts[Mode.JSON].edit.setPlainText(json.dumps(skeleton, ensure_ascii=False, indent=2))
        elif self.mode in (Mode.FORM, Mode.JSON):
            self.mode = Mode.TEXT

    def call(self, service: str, timeout: float, repeat: int) -> Call:
        """Return what is to be called."""
        mode = self.mode
        words = self.form.words() if mode is Mode.FORM else ()
        text = self.file.name.text() if mode is Mode.FILE else self.texts[mode].edit.toPlainText() if mode in self.texts else ""
        return Call(service, self._info, mode, words, text, timeout, repeat)

    def restore(self, call: Call) -> None:
        """Show what has been called."""
        self.show_method(call.info)
        self.mode = call.mode
        if call.mode is Mode.FORM:
            self.form.set_words(call.words)
        elif call.mode is Mode.FILE:
            self.file.name.setText(call.text)
        else:
            set_text(self.texts[call.mode].edit, call.text)


class _Text(QWidget):
    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self.edit = QPlainTextEdit()
        self.edit.setAccessibleName(f"Payload as {mode.value}")
        self.edit.setTabChangesFocus(True)
        if mode is not Mode.TEXT:
            self.edit.setFont(fixed_font())
        hint = QLabel(_HINTS[mode])
        hint.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.edit, 1)
        layout.addWidget(hint)


class _File(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.name = QLineEdit()
        self.name.setAccessibleName("File to send")
        self.name.setPlaceholderText("a file that is sent as it is")
        button = QPushButton("Choose…")
        button.clicked.connect(self._choose)
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(row)
        layout.addStretch(1)

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "File to send")
        if name:
            self.name.setText(name)
