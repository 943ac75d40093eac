"""The panel with what to measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QComboBox, QFormLayout, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from nanorpc.bench import MAX_SIZE
from nanorpc.gui.bench.plan import PRESETS, QUICK, Plan, preset_of
from nanorpc.gui.bench.transports import TransportList
from nanorpc.gui.fields import count, seconds
from nanorpc.gui.theme import mark
from nanorpc.units import parse_sizes, size_text

_OWN = "Own settings"
_CLOSED, _RATE = "Closed loop", "Fixed rate"
_WIDTH = 316

Number = TypeVar("Number", int, float)


class OptionsPanel(QWidget):
    """Presets, and each setting of a plan."""

    start = pyqtSignal()
    stop = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(_WIDTH)
        self._filling = False
        self.preset = QComboBox()
        self.preset.addItems([*PRESETS, _OWN])
        self.preset.activated[str].connect(self._chosen)
        self.transports = TransportList()
        self.sizes = QLineEdit()
        self.sizes.setToolTip("payload sizes with commas between, as in 64, 4 KiB, 1M")
        self.inflight = QLineEdit()
        self.inflight.setToolTip("how many calls are on their way at once; several numbers with commas between are measured one after the other")
        self.loop = QComboBox()
        self.loop.addItems([_CLOSED, _RATE])
        self.loop.setToolTip(
            "closed loop: a call begins when the last has ended; fixed rate: calls are due at even intervals, and timed from when they were due"
        )
        self.rates = QLineEdit("10000")
        self.rates.setToolTip("calls a second, of all callers together; several numbers with commas between are measured one after the other")
        self.duration = seconds(0.01, 600, 0.3, 0.1)
        self.duration.setToolTip("how long each transport is measured at each size in each round")
        self.warmup = seconds(0, 60, 0.05, 0.05)
        self.warmup.setToolTip("how long it is called before it is measured")
        self.rounds = count(1000, 5)
        self.rounds.setToolTip("the transports take turns in each round; figures are medians of the rounds")
        self.spin = QComboBox()
        self.spin.addItems(["adaptive", "busy", "none"])
        self.spin.setToolTip("how NanoRPC waits, but for nanorpc-busy and nanorpc-none: spin and then sleep, spin only, sleep only")
        self.pin = QCheckBox("&Pin to CPUs")
        self.pin.setToolTip("keep this process on one CPU, and the servers on another")
        self.estimate = QLabel()
        mark(self.estimate, "muted")
        self.error = QLabel()
        self.error.setWordWrap(True)
        self.error.hide()
        mark(self.error, "error")
        self.start_button = QPushButton("&Run")
        self.start_button.setToolTip("Ctrl+R")
        self.start_button.clicked.connect(self.start)
        self.stop_button = QPushButton("S&top")
        self.stop_button.setToolTip("Esc; what has been measured is kept")
        self.stop_button.clicked.connect(self.stop)
        self._arrange()
        self._watch()
        self.show_plan(QUICK)
        self.set_running(False)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 6, 0)
        form.setFieldGrowthPolicy(QFormLayout.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(5)
        form.addRow("Pr&eset", self.preset)
        label = QLabel("Tr&ansports")
        label.setBuddy(self.transports)
        form.addRow(label)
        form.addRow(self.transports)
        form.addRow("Si&zes", self.sizes)
        form.addRow("In fl&ight", self.inflight)
        form.addRow("&Load", self.loop)
        form.addRow("Calls/&s", self.rates)
        form.addRow("&Duration", self.duration)
        form.addRow("&Warm-up", self.warmup)
        form.addRow("R&ounds", self.rounds)
        form.addRow("Spi&n", self.spin)
        form.addRow("", self.pin)
        for i in range(form.rowCount()):  # what a screen reader says for a field
            item, field = form.itemAt(i, QFormLayout.LabelRole), form.itemAt(i, QFormLayout.FieldRole)
            if item and field and isinstance(text := item.widget(), QLabel):
                field.widget().setAccessibleName(text.text().replace("&", ""))
        inner = QWidget()
        inner.setLayout(form)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.stop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.error)
        layout.addWidget(self.estimate)
        layout.addLayout(buttons)
        self._scroll = scroll

    def _watch(self) -> None:
        """See that the preset's name and the estimate go with what is set."""
        self.transports.changed.connect(self._changed)
        for line in (self.sizes, self.inflight, self.rates):
            line.textChanged.connect(self._changed)
        self.loop.currentIndexChanged.connect(self._changed)
        self.spin.currentIndexChanged.connect(self._changed)
        for box in (self.duration, self.warmup, self.rounds):
            box.valueChanged.connect(self._changed)
        self.pin.toggled.connect(self._changed)

    def plan(self) -> Plan:
        """Return what is set.

        :raises ValueError: with a text for the user, if that cannot be.
        """
        if not self.transports.chosen:
            raise ValueError("Choose at least one transport.")
        paced = self.loop.currentText() == _RATE
        return Plan(
            transports=tuple(self.transports.chosen),
            sizes=tuple(parse_sizes(self.sizes.text(), MAX_SIZE)),
            inflight=_numbers(self.inflight.text(), int, "calls in flight"),
            rates=_numbers(self.rates.text(), float, "calls a second") if paced else (),
            duration_ms=round(self.duration.value() * 1000),
            rounds=self.rounds.value(),
            warmup_ms=round(self.warmup.value() * 1000),
            spin=self.spin.currentText(),
            pin=self.pin.isChecked(),
        )

    def show_plan(self, plan: Plan) -> None:
        """Set everything as planned."""
        self._filling = True
        self.transports.choose(plan.transports)
        self.sizes.setText(", ".join(size_text(size) for size in plan.sizes))
        self.inflight.setText(", ".join(str(number) for number in plan.inflight))
        self.loop.setCurrentText(_RATE if plan.rates else _CLOSED)
        if plan.rates:
            self.rates.setText(", ".join(f"{rate:g}" for rate in plan.rates))
        self.duration.setValue(plan.duration_ms / 1000)
        self.warmup.setValue(plan.warmup_ms / 1000)
        self.rounds.setValue(plan.rounds)
        self.spin.setCurrentText(plan.spin)
        self.pin.setChecked(plan.pin)
        for line in (self.sizes, self.inflight, self.rates):
            line.setCursorPosition(0)  # its beginning is seen
        self._filling = False
        self._changed()

    def show_error(self, text: str) -> None:
        """Show why it does not run, or nothing."""
        self.error.setText(text)
        self.error.setVisible(bool(text))

    def set_running(self, running: bool) -> None:
        """Enable what can be done."""
        self.start_button.setEnabled(not running)
        self.stop_button.setEnabled(running)
        self._scroll.setEnabled(not running)

    def _chosen(self, name: str) -> None:
        if name in PRESETS:
            self.show_plan(PRESETS[name])

    def _changed(self) -> None:
        if self._filling:
            return
        self.rates.setEnabled(self.loop.currentText() == _RATE)
        try:
            plan = self.plan()
        except ValueError:
            self.estimate.setText("")
            self.preset.setCurrentText(_OWN)
            return
        self.preset.setCurrentText(preset_of(plan) or _OWN)
        cases = len(plan.transports) * len(plan.sizes)
        own = " Python's own: closed loop, 1 in flight." if plan.contenders() and (plan.rates or plan.inflight != (1,)) else ""
        self.estimate.setText(f"{cases} cases, about {plan.seconds():.0f} s.{own}")
        self.estimate.setToolTip(self.estimate.text())


def _numbers(text: str, kind: Callable[[str], Number], what: str) -> tuple[Number, ...]:
    """Return the numbers in a list with commas between, each once."""
    try:
        numbers = [kind(item.strip().replace("_", "").lower().replace("k", "000").replace("m", "000000")) for item in text.split(",")]
    except ValueError:
        raise ValueError(f"“{text}” is no number of {what}: write numbers with commas between, as in 1, 16, 64") from None
    if min(numbers) <= 0:
        raise ValueError(f"the number of {what} is above 0")
    return tuple(dict.fromkeys(numbers))
