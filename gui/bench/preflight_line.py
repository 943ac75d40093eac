"""A line that warns of what spoils a figure."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QMessageBox, QToolButton, QWidget

from nanorpc.doctor.finding import Finding, Verdict
from nanorpc.gui.bench.preflight import details, preflight, summary
from nanorpc.gui.labels import ElidedLabel
from nanorpc.gui.theme import mark
from nanorpc.gui.workers import Workers

_KINDS = {Verdict.OK: "good", Verdict.WARNING: "warning", Verdict.PROBLEM: "error"}
_SIGNS = {Verdict.OK: "✓", Verdict.WARNING: "⚠", Verdict.PROBLEM: "✗"}


class PreflightLine(QWidget):
    """Says what was found, and more when asked. It looks in a thread."""

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers
        self.findings: list[Finding] = []
        self.text = ElidedLabel("Looking at this machine …")
        self.text.setAccessibleName("What spoils figures on this machine")
        self.more = QToolButton()
        self.more.setText("Details …")
        self.more.setEnabled(False)
        self.more.clicked.connect(self._tell)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.more)

    def look(self) -> None:
        """Look again."""
        self._workers.start(preflight, self._found, self._failed)

    def _found(self, findings: list[Finding]) -> None:
        self.findings = findings
        text, verdict = summary(findings)
        self.text.setText(f"{_SIGNS[verdict]}  {text}")
        self.text.setToolTip(details(findings))
        mark(self.text, _KINDS[verdict])
        self.more.setEnabled(True)

    def _failed(self, error: Exception) -> None:
        self.text.setText(f"This machine could not be looked at: {error}")

    def _tell(self) -> None:
        box = QMessageBox(QMessageBox.Information, "What spoils figures on this machine", details(self.findings), QMessageBox.Ok, self)
        box.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
        box.exec_()
