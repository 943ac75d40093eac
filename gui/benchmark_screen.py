"""The benchmark: what to measure, the run, and its figures as they come."""

from __future__ import annotations

import time

from PyQt5.QtCore import QSettings, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSplitter, QVBoxLayout, QWidget

from nanorpc.bench import Snapshot
from nanorpc.errors import NanoRPCError
from nanorpc.gui.bench.live import LivePlots
from nanorpc.gui.bench.live_table import SAMPLES, SORT_ROLE, CasesModel
from nanorpc.gui.bench.measurement import Measurement
from nanorpc.gui.bench.options import OptionsPanel
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.bench.preflight_line import PreflightLine
from nanorpc.gui.bench.state import load_plan, save_plan
from nanorpc.gui.labels import ElidedLabel
from nanorpc.gui.record import Record, machine, now
from nanorpc.gui.screen import Screen
from nanorpc.gui.tables import SortProxy, Table
from nanorpc.gui.theme import Theme
from nanorpc.gui.workers import Workers

_POLL = 125  # ms: the core tells of new figures every 100
_FIGURES = 0.25  # s from one text of figures to the next: nobody reads them faster


class BenchmarkScreen(Screen):
    """Runs benchmarks. The load is in Go, its peer in another process; this thread asks for figures and shows them."""

    title = "&Benchmark"

    finished = pyqtSignal(object)
    """A :class:`Record` with what has been measured, when a run has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._measurement: Measurement | None = None
        self._plan = Plan()
        self._started = ""
        self._snapshot: Snapshot | None = None
        self._visible = False
        self._figures_at = 0.0
        self._workers = Workers(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL)
        self._timer.timeout.connect(self._poll)

        self.options = OptionsPanel()
        self.options.start.connect(self.primary)
        self.options.stop.connect(self.stop)
        self.preflight = PreflightLine(self._workers)
        self.progress = QProgressBar()
        self.progress.setMaximum(1000)
        self.progress.setAccessibleName("Progress")
        self.progress.setMaximumWidth(220)
        self.status = ElidedLabel("Choose what to measure, and run it.")
        self.results_button = QPushButton("Show res&ults")
        self.results_button.setToolTip("Ctrl+2")
        self.results_button.hide()
        self.live = LivePlots()
        self.model = CasesModel()
        self.table = Table(SortProxy(self.model, SORT_ROLE), "Figures of the benchmark")
        self._arrange()

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.progress)
        line.addWidget(self.status, 1)
        line.addWidget(self.live.size_box)
        line.addWidget(self.live.load_box)
        line.addWidget(self.results_button)
        self._splitter = QSplitter(Qt.Vertical)
        self._splitter.addWidget(self.live)
        self._splitter.addWidget(self.table)
        self._splitter.setStretchFactor(0, 4)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([500, 140])
        self._splitter.setChildrenCollapsible(False)
        self.table.fit(SAMPLES)
        self.table.horizontalHeader().setStretchLastSection(False)
        self.table.setMinimumHeight(84)
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.preflight)
        layout.addLayout(line)
        layout.addWidget(self._splitter, 1)
        outer = QHBoxLayout(self)
        outer.addWidget(self.options)
        outer.addWidget(right, 1)

    @property
    def running(self) -> bool:
        """Whether a benchmark runs."""
        return self._measurement is not None

    def activated(self) -> None:
        """Show what has come meanwhile."""
        self._visible = True
        self._figures_at = 0.0
        self._show()
        if not self.running:
            self.preflight.look()

    def deactivated(self) -> None:
        """Draw no more. A benchmark goes on."""
        self._visible = False

    def refresh(self) -> None:
        """Look at the machine again."""
        if not self.running:  # which would be what makes it busy
            self.preflight.look()

    def primary(self) -> None:
        """Start a benchmark of what is chosen."""
        if self.running:
            return
        try:
            plan = self.options.plan()
            self._measurement = Measurement(plan)
        except (ValueError, NanoRPCError) as error:
            self.options.show_error(str(error))
            return
        self.options.show_error("")
        self._plan, self._started, self._snapshot = plan, now(), None
        self.model.show_cases([])
        self.live.begin(plan)
        self.options.set_running(True)
        self.results_button.hide()
        self.progress.setValue(0)
        self.status.setText("Starting the other processes …")
        self._timer.start()
        self.message.emit("The benchmark runs")

    def stop(self) -> None:
        """Stop the benchmark; what has been measured stays."""
        if self._measurement is not None:
            self._measurement.stop()
            self.options.stop_button.setEnabled(False)
            self.status.setText("Stopping …")

    def shutdown(self) -> None:
        """Stop the benchmark, and wait until its processes have ended."""
        self._timer.stop()
        if self._measurement is not None:
            self._measurement.close()
            self._measurement = None
        self._workers.wait(5)
        self.live.shutdown()

    def save_state(self, settings: QSettings) -> None:
        """Remember what is set."""
        save_plan(settings, self.options)
        settings.setValue("splitter", self._splitter.saveState())

    def restore_state(self, settings: QSettings) -> None:
        """Set it again."""
        load_plan(settings, self.options)
        if state := settings.value("splitter"):
            self._splitter.restoreState(state)

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self.live.apply_theme(theme)

    def _poll(self) -> None:
        if self._measurement is None:
            return
        snapshot = self._snapshot = self._measurement.poll()
        self.live.add(snapshot)
        if self._visible:
            self._show()
        if snapshot.state != "running":
            self._finish(snapshot)

    def _show(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        self.progress.setValue(round(snapshot.fraction * 1000))
        if snapshot.state == "running" and self.options.stop_button.isEnabled():
            left = f", about {snapshot.eta_s:.0f} s left" if snapshot.eta_s else ""
            self.status.setText(f"{snapshot.current or 'Starting the other processes …'}{left}")
        if snapshot.state != "running" or time.monotonic() - self._figures_at > _FIGURES:
            self._figures_at = time.monotonic()
            self.model.show_cases(snapshot.cases)
        self.live.show_snapshot(snapshot)

    def _finish(self, snapshot: Snapshot) -> None:
        self._timer.stop()
        measurement, self._measurement = self._measurement, None
        assert measurement is not None
        self._workers.start(measurement.close, lambda _: None, lambda error: self.message.emit(str(error)))
        errors = sum(case.errors for case in snapshot.cases)
        self.options.show_error(snapshot.error or (f"{errors} calls failed or had a wrong reply" if errors else ""))
        self.options.set_running(False)
        self.status.setText(f"{snapshot.state.capitalize()} after {snapshot.elapsed_s:.1f} s.")
        self.message.emit("The benchmark has failed" if snapshot.state == "failed" else f"The benchmark is {snapshot.state}")
        if snapshot.cases:
            self.results_button.show()
            self.finished.emit(Record(self._plan, tuple(snapshot.cases), self._started, snapshot.elapsed_s, snapshot.state, machine()))
