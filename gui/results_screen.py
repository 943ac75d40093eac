"""The results of a run: plots, ratios, and exports."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from nanorpc.gui.bench.live_table import SORT_ROLE
from nanorpc.gui.labels import ElidedLabel
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.record import Load, Record, load_text
from nanorpc.gui.results.charts import AgainstSize, Percentiles, ResultsCharts, ResultsView, Throughput
from nanorpc.gui.results.export import FORMATS, write
from nanorpc.gui.results.ratios import BASELINE, LOAD, SAMPLES, RatiosModel, rows
from nanorpc.gui.screen import Screen
from nanorpc.gui.tables import SortProxy, Table
from nanorpc.gui.theme import LIGHT, Theme, mark
from nanorpc.units import size_text

_NONE = "There are no results yet.\n\nRun a benchmark (Ctrl+1, Ctrl+R), or open a run of the history (Ctrl+3)."


class ResultsScreen(Screen):
    """Shows a run, perhaps beside another, the baseline."""

    title = "&Results"

    def __init__(self) -> None:
        super().__init__()
        self._run: Record | None = None
        self._baseline: Record | None = None
        self._sizes: list[int] = []
        self._loads: list[Load] = []
        self._theme = LIGHT
        self.name = ElidedLabel()
        mark(self.name, "heading")
        self.compared = ElidedLabel()
        mark(self.compared, "muted")
        self.size_box, self.load_box = QComboBox(), QComboBox()
        for box, what in ((self.size_box, "Payload size"), (self.load_box, "Load")):
            box.setAccessibleName(f"{what} that is drawn")
            box.setToolTip(f"{what} that is drawn")
            box.setSizeAdjustPolicy(QComboBox.AdjustToContents)
            box.currentIndexChanged.connect(lambda _: self._draw())
        self.pin_button = QPushButton("&Pin as baseline")
        self.pin_button.setToolTip("show the runs to come beside this one")
        self.pin_button.clicked.connect(self.pin)
        self.unpin_button = QPushButton("&No baseline")
        self.unpin_button.clicked.connect(lambda: self.set_baseline(None))
        self.export_button = QPushButton("E&xport …")
        self.export_button.setToolTip("Ctrl+E: as a report, plots, a table, or JSON")
        self.export_button.clicked.connect(self.export)
        self.percentiles: PlotWidget[ResultsView] = PlotWidget(ResultsCharts([Percentiles()]), "Percentiles")
        self.against_size: PlotWidget[ResultsView] = PlotWidget(ResultsCharts([AgainstSize()]), "p50 and p99 against payload size")
        self.throughput: PlotWidget[ResultsView] = PlotWidget(ResultsCharts([Throughput()]), "p99 against throughput")
        self.plots = QTabWidget()
        self.model = RatiosModel()
        self.table = Table(SortProxy(self.model, SORT_ROLE), "Figures and ratios")
        self.table.fit(SAMPLES)
        self.table.horizontalHeader().setStretchLastSection(False)
        self._arrange()
        self._show()

    def _arrange(self) -> None:
        line = QHBoxLayout()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.name)
        names.addWidget(self.compared)
        line.addLayout(names, 1)
        for widget in (self.size_box, self.load_box, self.pin_button, self.unpin_button, self.export_button):
            line.addWidget(widget)
        self.plots.setAccessibleName("Plots")
        self.plots.addTab(self.against_size, "By si&ze")
        self.plots.addTab(self.throughput, "By &throughput")
        upper = QSplitter(Qt.Horizontal)
        upper.addWidget(self.percentiles)
        upper.addWidget(self.plots)
        self._splitter = QSplitter(Qt.Vertical)
        self._splitter.addWidget(upper)
        self._splitter.addWidget(self.table)
        for splitter in (upper, self._splitter):
            splitter.setChildrenCollapsible(False)
        self._splitter.setSizes([440, 220])
        self.table.setMinimumHeight(100)
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self._splitter, 1)
        empty = QLabel(_NONE)
        empty.setAlignment(Qt.AlignCenter)
        mark(empty, "muted")
        self._stack = QStackedLayout()
        self._stack.addWidget(empty)
        self._stack.addWidget(shown)
        outer = QVBoxLayout(self)
        outer.addLayout(self._stack)

    @property
    def run(self) -> Record | None:
        """What is shown."""
        return self._run

    @property
    def baseline(self) -> Record | None:
        """What it is shown beside."""
        return self._baseline

    @property
    def view(self) -> ResultsView | None:
        """What is drawn."""
        if self._run is None or not self._sizes:
            return None
        size, load = self._sizes[max(self.size_box.currentIndex(), 0)], self._loads[max(self.load_box.currentIndex(), 0)]
        return ResultsView(self._run, self._baseline, size, load)

    def show_run(self, run: Record) -> None:
        """Show a run; the baseline stays."""
        self._run = run
        self._show()

    def numbered(self, run: Record) -> None:
        """Take a run that is the one that is shown or pinned, and has a number now."""
        if self._run is not None and self._run.cases is run.cases:
            self._run = run
        if self._baseline is not None and self._baseline.cases is run.cases:
            self._baseline = run
        self._show()

    def set_baseline(self, run: Record | None) -> None:
        """Show the run beside another, or alone."""
        self._baseline = run
        self._show()

    def pin(self) -> None:
        """Make the run that is shown the baseline of those to come."""
        self.set_baseline(self._run)
        self.message.emit("Pinned: the next run is shown beside it")

    def forget(self, ids: set[int]) -> None:
        """Show none of these runs any more."""
        if self._run is not None and self._run.id in ids:
            self._run = None
        if self._baseline is not None and self._baseline.id in ids:
            self._baseline = None
        self._show()

    def export(self) -> None:
        """Ask for a file, and write the results to it."""
        if self.view is None:
            self.message.emit("There are no results to export yet")
            return
        filters = [f"{text} (*{ending})" for ending, (text, _) in FORMATS.items()]
        name, chosen = QFileDialog.getSaveFileName(self, "Export", "nanorpc-benchmark.html", ";;".join(filters))
        if name:
            path = Path(name)
            ending = list(FORMATS)[filters.index(chosen)] if chosen in filters else ".html"
            # The file's own ending counts, if it has a known one; else the one that was chosen.
            self.write(path if path.suffix.lower() in FORMATS else path.with_name(path.name + ending))

    def write(self, path: Path) -> None:
        """Write the results in the format of the name's ending. The status bar tells when that is done, or what went wrong."""
        view, theme = self.view, self._theme
        assert view is not None
        self.percentiles.draw_elsewhere(
            lambda: write(view, theme, path), lambda _: self.message.emit(f"Wrote {path}"), lambda error: self.message.emit(f"Not exported: {error}")
        )

    def shutdown(self) -> None:
        """Draw no more."""
        for plot in (self.percentiles, self.against_size, self.throughput):
            plot.shutdown()

    def save_state(self, settings: QSettings) -> None:
        """Remember how the room is shared."""
        settings.setValue("splitter", self._splitter.saveState())

    def restore_state(self, settings: QSettings) -> None:
        """Share it so again."""
        if state := settings.value("splitter"):
            self._splitter.restoreState(state)

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self._theme = theme
        for plot in (self.percentiles, self.against_size, self.throughput):
            plot.apply_theme(theme)

    def _show(self) -> None:
        """Show the run, and what can be chosen in it."""
        run = self._run
        self._stack.setCurrentIndex(0 if run is None else 1)
        self.unpin_button.setVisible(self._baseline is not None)
        if run is None:
            self._sizes, self._loads = [], []
            return
        self.name.setText(run.title if run.state == "done" else f"{run.title} ({run.state})")
        beside = self._baseline
        self.compared.setText(f"Faint and dotted, the baseline: {beside.title}" if beside else "")
        self.compared.setVisible(beside is not None)
        self.pin_button.setEnabled(run is not beside)
        self._sizes, self._loads = run.sizes, run.loads
        for box, texts in ((self.size_box, map(size_text, self._sizes)), (self.load_box, map(load_text, self._loads))):
            chosen = box.currentText()
            box.blockSignals(True)
            box.clear()
            box.addItems(list(texts))
            box.setCurrentIndex(max(box.findText(chosen), 0))
            box.blockSignals(False)
            box.setVisible(box.count() > 1)
        self.model.show_rows(rows(run, beside))
        self.table.setColumnHidden(LOAD, len(self._loads) == 1)
        self.table.setColumnHidden(BASELINE, beside is None)
        self._draw()

    def _draw(self) -> None:
        view = self.view
        for plot in (self.percentiles, self.against_size, self.throughput):
            plot.show_data(view)
