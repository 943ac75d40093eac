"""The benchmark: what to measure, the run, and its figures as they come."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from nanorpc.bench import MAX_SIZE, TRANSPORTS, Case, Config, Run, Snapshot
from nanorpc.errors import NanoRPCError
from nanorpc.gui.charts import Charts
from nanorpc.gui.export import write_csv, write_json
from nanorpc.gui.fields import count, seconds
from nanorpc.gui.results_table import ResultsTable
from nanorpc.gui.screen import Screen
from nanorpc.gui.workers import Workers
from nanorpc.units import parse_sizes, size_text

_POLL = 120  # ms
_EXPLAINED = {
    "limit": "two processes that spin on two cache lines: the floor",
    "limit-copy": "the floor with the payload copied in and out",
    "nanorpc": "NanoRPC's ordinary calls",
    "nanorpc-loan": "NanoRPC without copies: payloads stay where they are",
    "nanorpc-batch": "one caller of NanoRPC, with all calls in flight in one batch",
    "uds": "a Unix stream socket",
    "uds-batch": "one caller of a Unix stream socket, who sends all calls in flight at once",
}


class BenchmarkScreen(Screen):
    """Runs benchmarks. The load is in Go, its peer in another process; this thread asks for figures and draws them."""

    title = "&Benchmark"

    def __init__(self) -> None:
        super().__init__()
        self._run: Run | None = None
        self._cases: list[Case] = []
        self._workers = Workers(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL)
        self._timer.timeout.connect(self._poll)

        self.transports = {name: QCheckBox(name) for name in TRANSPORTS}
        for name, box in self.transports.items():
            box.setChecked(name in Config().transports)
            box.setToolTip(_EXPLAINED[name])
        self.sizes = QLineEdit("64, 4k, 64k, 1M")
        self.sizes.setToolTip("payload sizes with commas between, as in 64, 4 KiB, 1M")
        self.duration = seconds(0.01, 60, 0.3, 0.1)
        self.duration.setToolTip("how long each transport is measured at each size in each round")
        self.rounds = count(100, 5)
        self.rounds.setToolTip("the transports take turns in each round; figures are medians of the rounds")
        self.inflight = count(64, 1)
        self.inflight.setToolTip("how many callers call at once")
        self.spin = QComboBox()
        self.spin.addItems(["adaptive", "busy", "none"])
        self.spin.setToolTip("how NanoRPC waits: spin and then sleep, spin only, sleep only")
        self.start_button = QPushButton("&Start")
        self.start_button.clicked.connect(self.start)
        self.stop_button = QPushButton("S&top")
        self.stop_button.clicked.connect(self.stop)
        self.progress = QProgressBar()
        self.progress.setMaximum(1000)
        self.status = QLabel("Choose what to measure, and start.")
        self.status.setWordWrap(True)
        self.error = QLabel()
        self.error.setWordWrap(True)
        self.error.setStyleSheet("color: #b00020")
        self.error.hide()
        self.export_buttons = {kind: QPushButton(kind.upper()) for kind in ("csv", "json", "png")}
        for kind, button in self.export_buttons.items():
            button.clicked.connect(lambda _, kind=kind: self._ask_export(kind))
        self.charts = Charts()
        self.shown_size = QComboBox()
        self.shown_size.setToolTip("the payload size whose distribution is drawn")
        self.shown_size.currentIndexChanged.connect(self._draw)
        self.table = ResultsTable()
        self._arrange()
        self._enable()

    def _arrange(self) -> None:
        transports = QGridLayout()
        for i, box in enumerate(self.transports.values()):
            transports.addWidget(box, i // 2, i % 2)
        group = QGroupBox("Transports")
        group.setLayout(transports)
        form = QFormLayout()
        form.addRow(group)
        form.addRow("Si&zes", self.sizes)
        form.addRow("&Duration", self.duration)
        form.addRow("&Rounds", self.rounds)
        form.addRow("In &flight", self.inflight)
        form.addRow("S&pin", self.spin)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.stop_button)
        exports = QHBoxLayout()
        for button in self.export_buttons.values():
            exports.addWidget(button)
        export_group = QGroupBox("Export")
        export_group.setLayout(exports)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addWidget(self.error)
        left.addLayout(buttons)
        left.addWidget(self.progress)
        left.addWidget(self.status)
        left.addStretch(1)
        left.addWidget(export_group)
        panel = QWidget()
        panel.setLayout(left)
        panel.setFixedWidth(335)

        size_row = QHBoxLayout()
        size_row.addStretch(1)
        size_row.addWidget(QLabel("Distribution at"))
        size_row.addWidget(self.shown_size)
        upper = QWidget()
        upper_layout = QVBoxLayout(upper)
        upper_layout.setContentsMargins(0, 0, 0, 0)
        upper_layout.addLayout(size_row)
        upper_layout.addWidget(self.charts, 1)
        self._splitter = QSplitter()
        self._splitter.setOrientation(Qt.Vertical)
        self._splitter.addWidget(upper)
        self._splitter.addWidget(self.table)
        self._splitter.setSizes([430, 290])
        layout = QHBoxLayout(self)
        layout.addWidget(panel)
        layout.addWidget(self._splitter, 1)

    @property
    def running(self) -> bool:
        """Whether a benchmark runs."""
        return self._run is not None

    def start(self) -> None:
        """Start a benchmark of what is chosen."""
        try:
            config = self._config()
            run = Run(config)
        except (ValueError, NanoRPCError) as error:
            self.error.setText(str(error))
            self.error.show()
            return
        self.error.hide()
        self._run = run
        self._cases = []
        self.charts.begin(config.transports, config.sizes)
        self.shown_size.blockSignals(True)
        self.shown_size.clear()
        for size in config.sizes:
            self.shown_size.addItem(size_text(size), size)
        self.shown_size.blockSignals(False)
        self._draw()
        self._enable()
        self._timer.start()
        self.message.emit("The benchmark runs")

    def stop(self) -> None:
        """Stop the benchmark; what has been measured stays."""
        if self._run is not None:
            self._run.stop()
            self.stop_button.setEnabled(False)

    def shutdown(self) -> None:
        """Stop the benchmark and wait until its processes have ended."""
        self._timer.stop()
        if self._run is not None:
            self._run.close()
            self._run = None
        self._workers.wait(5)
        self.charts.close_worker()

    def write(self, path: Path) -> None:
        """Write the figures, or the charts for a name that ends in ``.png``. The status line tells when that is done, or what went wrong."""

        def written(_: object) -> None:
            self.message.emit(f"Wrote {path}")

        def failed(error: Exception) -> None:
            self.error.setText(f"Not exported: {error}")
            self.error.show()

        cases = self._cases
        if path.suffix == ".png":
            self.charts.save(str(path), written, failed)
        elif path.suffix == ".csv":
            self._workers.start(lambda: write_csv(cases, path), written, failed)
        else:
            self._workers.start(lambda: write_json(cases, path), written, failed)

    def _config(self) -> Config:
        transports = [name for name, box in self.transports.items() if box.isChecked()]
        if not transports:
            raise ValueError("Choose at least one transport.")
        return Config(
            transports=transports,
            sizes=parse_sizes(self.sizes.text(), MAX_SIZE),
            duration_ms=round(self.duration.value() * 1000),
            rounds=self.rounds.value(),
            inflight=self.inflight.value(),
            spin=self.spin.currentText(),
        )

    def _poll(self) -> None:
        if self._run is None:
            return
        snapshot = self._run.poll()
        self._cases = snapshot.cases
        self.progress.setValue(round(snapshot.fraction * 1000))
        self.status.setText(_status(snapshot))
        self._draw()
        if snapshot.state != "running":
            self._finish(snapshot)

    def _finish(self, snapshot: Snapshot) -> None:
        self._timer.stop()
        run, self._run = self._run, None
        assert run is not None
        self._workers.start(run.close, lambda _: None, lambda error: self.message.emit(str(error)))
        errors = sum(case.errors for case in snapshot.cases)
        problem = snapshot.error or (f"{errors} calls failed or had a wrong reply" if errors else "")
        self.error.setText(problem)
        self.error.setVisible(bool(problem))
        self.message.emit(f"The benchmark is {snapshot.state}" if snapshot.state != "failed" else "The benchmark has failed")
        self._enable()

    def _draw(self) -> None:
        size = self.shown_size.currentData()
        self.table.show_cases(self._cases)
        if size is not None and self.isVisible():
            self.charts.show_cases(self._cases, size)

    def _enable(self) -> None:
        """Enable what can be done now."""
        self.start_button.setEnabled(not self.running)
        self.stop_button.setEnabled(self.running)
        for widget in (*self.transports.values(), self.sizes, self.duration, self.rounds, self.inflight, self.spin):
            widget.setEnabled(not self.running)
        for button in self.export_buttons.values():
            button.setEnabled(not self.running and bool(self._cases))

    def _ask_export(self, kind: str) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export", f"nanorpc-benchmark.{kind}", f"{kind.upper()} (*.{kind})")
        if not name:
            return
        path = Path(name)
        if path.suffix != f".{kind}":
            path = path.with_name(f"{path.name}.{kind}")
        self.write(path)


def _status(snapshot: Snapshot) -> str:
    if snapshot.state == "running":
        left = f", about {snapshot.eta_s:.0f} s left" if snapshot.eta_s else ""
        return f"{snapshot.current or 'Starting the peers'}{left}"
    return f"{snapshot.state.capitalize()} after {snapshot.elapsed_s:.1f} s."
