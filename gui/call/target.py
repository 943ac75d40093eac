"""Which method of which service is called."""

from __future__ import annotations

import os

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from nanorpc.commands.human import printable
from nanorpc.gui.workers import Workers
from nanorpc.introspection import MethodInfo, ServiceInfo
from nanorpc.services import describe, services

_TIMEOUT = 2.0
"""Seconds that a server has to say what it is."""


class Target(QWidget):
    """Two fields: a service and a method. What runs, and what methods there are, is asked for off the window's thread.

    :param directory: where services are found; ``None`` for the default.
    """

    method_changed = pyqtSignal(object)
    """The :class:`MethodInfo` of the method; of one that is not known no more than the name."""
    message = pyqtSignal(str)

    def __init__(self, directory: str | os.PathLike[str] | None, workers: Workers) -> None:
        super().__init__()
        self._directory = directory
        self._workers = workers
        self._described = ""  # the service whose methods are listed
        self._wanted = ""  # the method that is to be chosen when they are
        self._infos: dict[str, MethodInfo] = {}
        self.service = _combo("Service")
        self.service.activated.connect(lambda _: self._describe())
        edit = self.service.lineEdit()
        assert edit is not None
        edit.editingFinished.connect(self._describe)
        self.refresh_button = QPushButton("Refresh")
        self.refresh_button.setToolTip("list what runs (F5)")
        self.refresh_button.clicked.connect(self.refresh)
        self.method = _combo("Method")
        self.method.currentTextChanged.connect(lambda _: self._method_changed())
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setAccessibleName("About the service and the method")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for row, (text, combo) in enumerate((("Ser&vice", self.service), ("&Method", self.method))):
            label = QLabel(text)
            label.setBuddy(combo)
            layout.addWidget(label, row, 0)
            layout.addWidget(combo, row, 1, 1, 1 if combo is self.service else 2)
        layout.addWidget(self.refresh_button, 0, 2)
        layout.addWidget(self.about, 2, 0, 1, 3)
        layout.setColumnStretch(1, 1)

    @property
    def info(self) -> MethodInfo:
        """The method that is chosen."""
        name = self.method.currentText().strip()
        return self._infos.get(name) or MethodInfo(name=name)

    def refresh(self) -> None:
        """List what runs, and the chosen service's methods, anew."""
        self._described = ""
        self._workers.start(lambda: services(self._directory), self._listed, self._failed)

    def choose(self, service: str, method: str) -> None:
        """Choose a method. If it is another service's, its methods are asked for."""
        self.service.setEditText(service)
        if self._described == service:
            self.method.setEditText(method or self.method.currentText())
        else:
            self._wanted = method
            if method:
                self.method.setEditText(method)
            self._describe()

    def _listed(self, names: list[str]) -> None:
        chosen = self.service.currentText().strip()
        _fill(self.service, names, chosen or (names[0] if names else ""))
        self.message.emit(f"Running services: {len(names)}" if names else "No service is running")
        if self.service.currentText():
            self._describe()
        else:
            self._say_nothing()

    def _say_nothing(self) -> None:
        self._say("No service is running. The Servers screen says how to start one.")

    def _say(self, text: str) -> None:
        self.about.setText(text)
        self.about.setVisible(bool(text))

    def _describe(self) -> None:
        name = self.service.currentText().strip()
        if name and name != self._described:
            self._described = name
            self._infos = {}
            self._workers.start(
                lambda: (name, describe(name, directory=self._directory, timeout=_TIMEOUT)),
                lambda answer: self._have(*answer),
                lambda error: self._have_not(name, error),
            )

    def _have(self, name: str, info: ServiceInfo) -> None:
        if name != self.service.currentText().strip():  # the user has gone on
            return
        self._infos = {method.name: method for method in info.details}
        chosen = self._wanted or self.method.currentText().strip()
        self._wanted = ""
        _fill(self.method, list(self._infos), chosen if chosen in self._infos or not self._infos else next(iter(self._infos)))
        self._method_changed()

    def _have_not(self, name: str, error: Exception) -> None:
        if name == self.service.currentText().strip():
            self._described = ""
            self._infos = {}
            self._say(f"{type(error).__name__}: {error}")
            self.method_changed.emit(self.info)

    def _failed(self, error: Exception) -> None:
        self._say(str(error))

    def _method_changed(self) -> None:
        info = self.info
        if info.name in self._infos:
            result = f"→ {info.returns}" if info.returns else "→ bytes" if info.kind in ("bytes", "raw") else ""
            self._say(printable(" ".join(part for part in (info.doc, result) if part)))
        else:
            self._say(f"{printable(self.service.currentText())} lists no method of this name." if info.name and self._infos else "")
        for widget in (self.about, self.method):
            widget.setToolTip(printable(str(info)))
        self.method_changed.emit(info)


def _combo(name: str) -> QComboBox:
    combo = QComboBox()
    combo.setEditable(True)
    combo.setInsertPolicy(QComboBox.NoInsert)
    combo.setAccessibleName(name)
    combo.setMinimumContentsLength(12)
    combo.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
    return combo


def _fill(combo: QComboBox, texts: list[str], chosen: str) -> None:
    combo.blockSignals(True)
    combo.clear()
    combo.addItems(texts)
    combo.setCurrentIndex(combo.findText(chosen))
    combo.setEditText(chosen)
    combo.blockSignals(False)
