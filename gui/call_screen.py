"""Calls of running services: pick one, a method, type a payload, see the reply and its latency."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QFontDatabase
from PyQt5.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

import nanorpc
from nanorpc.gui.fields import count, seconds
from nanorpc.gui.screen import Screen
from nanorpc.gui.workers import Workers
from nanorpc.units import size_text, time_text

_SHOWN = 64 << 10  # bytes of a reply


@dataclass(frozen=True)
class Reply:
    """What repeated calls came to."""

    payload: bytes
    times_ns: list[int]


class CallScreen(Screen):
    """Calls methods. Every call runs off the window's thread.

    :param directory: where services are found; ``None`` for the default.
    """

    title = "&Call"

    def __init__(self, directory: str | None) -> None:
        super().__init__()
        self._directory = directory
        self._workers = Workers(self)
        self._client: nanorpc.Client | None = None
        self.service = QComboBox()
        self.service.setEditable(True)
        self.service.setInsertPolicy(QComboBox.NoInsert)
        self.service.activated.connect(self._describe)
        self.refresh_button = QPushButton("Re&fresh")
        self.refresh_button.clicked.connect(self.refresh)
        self.about = QLabel("No service chosen.")
        self.about.setWordWrap(True)
        self.method = QComboBox()
        self.method.setEditable(True)
        self.method.setInsertPolicy(QComboBox.NoInsert)
        self.encoding = QComboBox()
        self.encoding.addItems(["Text", "Hex"])
        self.encoding.setToolTip("how the payload is written")
        self.timeout = seconds(0.001, 3600, 5, 1)
        self.repeat = count(100_000, 1)
        self.repeat.setToolTip("how many calls, one after the other")
        self.send_button = QPushButton("&Send")
        self.send_button.clicked.connect(self.send)
        self.cancel_button = QPushButton("&Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        self.cancel_button.setEnabled(False)
        self.payload = QPlainTextEdit("hello")
        self.payload.setAccessibleName("Payload")
        self.reply = QPlainTextEdit()
        self.reply.setReadOnly(True)
        self.reply.setAccessibleName("Reply")
        self.reply.setPlaceholderText("The reply comes here.")
        fixed = QFontDatabase.systemFont(QFontDatabase.FixedFont)
        self.payload.setFont(fixed)
        self.reply.setFont(fixed)
        self.result = QLabel()
        self.result.setWordWrap(True)
        self._arrange()

    def _arrange(self) -> None:
        service = QHBoxLayout()
        service.addWidget(self.service, 1)
        service.addWidget(self.refresh_button)
        form = QFormLayout()
        label = QLabel("Ser&vice")
        label.setBuddy(self.service)
        form.addRow(label, service)
        form.addRow("", self.about)
        form.addRow("&Method", self.method)
        form.addRow("&Payload as", self.encoding)
        form.addRow("&Timeout", self.timeout)
        form.addRow("&Repeat", self.repeat)
        buttons = QHBoxLayout()
        buttons.addWidget(self.send_button)
        buttons.addWidget(self.cancel_button)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addLayout(buttons)
        left.addStretch(1)
        panel = QWidget()
        panel.setLayout(left)
        panel.setFixedWidth(340)
        splitter = QSplitter()
        splitter.setOrientation(Qt.Vertical)
        for title, text in (("Payload", self.payload), ("Reply", self.reply)):
            part = QWidget()
            part_layout = QVBoxLayout(part)
            part_layout.setContentsMargins(0, 0, 0, 0)
            part_layout.addWidget(QLabel(title))
            part_layout.addWidget(text)
            if text is self.reply:
                part_layout.addWidget(self.result)
            splitter.addWidget(part)
        splitter.setSizes([250, 400])
        layout = QHBoxLayout(self)
        layout.addWidget(panel)
        layout.addWidget(splitter, 1)

    def activated(self) -> None:
        """List the services."""
        self.refresh()

    def refresh(self) -> None:
        """List the running services anew."""
        self._workers.start(lambda: nanorpc.services(self._directory), self._listed, self._unlisted)

    def primary(self) -> None:
        """Call the method."""
        if self.send_button.isEnabled():
            self.send()

    def stop(self) -> None:
        """Give up the calls in flight."""
        self.cancel()

    def send(self) -> None:
        """Call the method."""
        service, method = self.service.currentText().strip(), self.method.currentText().strip()
        try:
            payload = self._payload()
        except ValueError as error:
            self._say(f"The payload is no hex: {error}. Write pairs of digits, as in 00 ff 7a.", failed=True)
            return
        if not service or not method:
            self._say("Choose a service and a method. Where none is listed, start one: ./server", failed=True)
            return
        timeout, repeat = self.timeout.value(), self.repeat.value()
        self.send_button.setEnabled(False)
        self.cancel_button.setEnabled(True)
        self._say("Calling …")
        self._workers.start(lambda: self._call(service, method, payload, timeout, repeat), self._replied, self._failed)

    def cancel(self) -> None:
        """Give up the calls in flight."""
        client = self._client
        if client is not None:
            self._workers.start(client.close, lambda _: None, lambda _: None)

    def shutdown(self) -> None:
        """Give up the calls in flight and wait until their threads have ended."""
        if self._client is not None:
            self._client.close()
        self._workers.wait(5)

    def _call(self, service: str, method: str, payload: bytes, timeout: float, repeat: int) -> Reply:
        """Call a method some times, in a worker's thread."""
        times = []
        with nanorpc.connect(service, directory=self._directory, timeout=min(timeout, 5.0)) as client:
            self._client = client
            try:
                for _ in range(repeat):
                    start = time.perf_counter_ns()
                    reply = client.call(method, payload, timeout=timeout)
                    times.append(time.perf_counter_ns() - start)
            finally:
                self._client = None
        return Reply(reply, times)

    def _payload(self) -> bytes:
        text = self.payload.toPlainText()
        return bytes.fromhex(text) if self.encoding.currentText() == "Hex" else text.encode()

    def _listed(self, names: list[str]) -> None:
        chosen = self.service.currentText()
        self.service.clear()
        self.service.addItems(names)
        if chosen in names:
            self.service.setCurrentText(chosen)
        self.message.emit(f"Running services: {len(names)}" if names else "No service is running. Start one: ./server")
        if names:
            self._describe()
        else:
            self.method.clear()
            self.about.setText("No service is running. Start one: ./server")

    def _unlisted(self, error: Exception) -> None:
        self.about.setText(str(error))

    def _describe(self) -> None:
        name = self.service.currentText()
        self._workers.start(lambda: nanorpc.describe(name, directory=self._directory), self._described, self._unlisted)

    def _described(self, info: nanorpc.ServiceInfo) -> None:
        chosen = self.method.currentText()
        self.method.clear()
        self.method.addItems(info.methods)
        if chosen in info.methods:
            self.method.setCurrentText(chosen)
        self.about.setText(f"Process {info.pid}, payloads up to {size_text(info.max_payload)}")

    def _replied(self, reply: Reply) -> None:
        self._idle()
        shown = reply.payload[:_SHOWN]
        try:
            text = shown.decode()
            kind = "text"
        except UnicodeDecodeError:
            text = shown.hex(" ")
            kind = "hex"
        self.reply.setPlainText(text)
        cut = f", the first {size_text(_SHOWN)} shown" if len(reply.payload) > _SHOWN else ""
        if len(reply.times_ns) == 1:
            latency = time_text(reply.times_ns[0])
        else:
            times = sorted(reply.times_ns)
            p99 = times[int((len(times) - 1) * 0.99)]
            latency = f"{len(times):,} calls: p50 {time_text(median(times))}, p99 {time_text(p99)}, slowest {time_text(times[-1])}"
        self._say(f"{size_text(len(reply.payload))} as {kind}{cut} · {latency}")

    def _failed(self, error: Exception) -> None:
        self._idle()
        self.reply.clear()
        if isinstance(error, nanorpc.ClientClosed):
            self._say("Cancelled.")
        else:
            self._say(f"{type(error).__name__}: {error}", failed=True)

    def _idle(self) -> None:
        self.send_button.setEnabled(True)
        self.cancel_button.setEnabled(False)

    def _say(self, text: str, failed: bool = False) -> None:
        self.result.setStyleSheet("color: #b00020" if failed else "")
        self.result.setText(text)
