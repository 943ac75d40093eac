"""The plots of a running benchmark, and which size and load they show."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QComboBox, QSplitter, QVBoxLayout, QWidget

from nanorpc.bench import Snapshot
from nanorpc.gui.bench.charts import Distribution, LiveCharts, LiveView, OverTime, Rates, end_of
from nanorpc.gui.bench.plan import Plan, is_python
from nanorpc.gui.bench.timeline import Timeline
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.record import Load, load_text
from nanorpc.gui.theme import Theme
from nanorpc.units import size_text

_SLOW = 250  # ms from a picture of what hardly moves to the next
_EMPTY = "Round trips are drawn here while they are measured."


class LivePlots(QWidget):
    """Shows one size and one load of what is being measured, by default what is measured just now."""

    def __init__(self) -> None:
        super().__init__()
        self.size_box = QComboBox()
        self.size_box.setToolTip("the payload size that is drawn")
        self.size_box.setAccessibleName("Payload size that is drawn")
        self.load_box = QComboBox()
        self.load_box.setAccessibleName("Load that is drawn")
        self.load_box.setSizeAdjustPolicy(QComboBox.AdjustToContents)
        self.size_box.setSizeAdjustPolicy(QComboBox.AdjustToContents)
        self.load_box.setToolTip("the number of calls in flight, and the rate, that are drawn")
        self.over_time: PlotWidget[LiveView] = PlotWidget(LiveCharts([OverTime()], legend=True, bottom=24), "Round trip over time", _EMPTY)
        self.spread: PlotWidget[LiveView] = PlotWidget(
            LiveCharts([Distribution(), Rates()], legend=False, bottom=40), "Distribution, and calls a second", interval=_SLOW
        )
        self._plan: Plan | None = None
        self._loads: list[Load] = []
        self._timeline = Timeline()
        self._snapshot: Snapshot | None = None
        self._view: LiveView | None = None
        self._chosen_by_user = False
        for box in (self.size_box, self.load_box):
            box.currentIndexChanged.connect(lambda _: self._draw())
            box.activated.connect(lambda _: self._choose())
        splitter = QSplitter(Qt.Vertical)
        splitter.addWidget(self.over_time)
        splitter.addWidget(self.spread)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def begin(self, plan: Plan) -> None:
        """Begin anew."""
        self._plan, self._timeline, self._snapshot = plan, Timeline(), None
        self._chosen_by_user = False
        self._loads = [(inflight, float(rate)) for inflight in plan.inflight for rate in (plan.rates or (0,))]
        for box, texts in ((self.size_box, map(size_text, plan.sizes)), (self.load_box, map(load_text, self._loads))):
            box.blockSignals(True)
            box.clear()
            box.addItems(list(texts))
            box.blockSignals(False)
            box.setVisible(box.count() > 1)
        self._draw()

    def add(self, snapshot: Snapshot) -> None:
        """Take figures; draws nothing."""
        self._timeline.add(snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw figures."""
        self._snapshot = snapshot
        if not self._chosen_by_user and snapshot.cases:
            self._follow(snapshot)
        self._draw()

    def apply_theme(self, theme: Theme) -> None:
        """Draw in these colours."""
        self.over_time.apply_theme(theme)
        self.spread.apply_theme(theme)

    def shutdown(self) -> None:
        """Draw no more."""
        self.over_time.shutdown()
        self.spread.shutdown()

    def _choose(self) -> None:
        self._chosen_by_user = True

    def _follow(self, snapshot: Snapshot) -> None:
        """Show the load that is being measured; the last that has figures."""
        loads = [(case.inflight, case.rate) for case in snapshot.cases if not is_python(case.transport)]
        if loads:
            self.load_box.setCurrentIndex(self._loads.index(max(loads)))

    def _draw(self) -> None:
        plan = self._plan
        if plan is None:
            return
        size, load = plan.sizes[self.size_box.currentIndex()], self._loads[self.load_box.currentIndex()]
        cases = {
            case.transport: case
            for case in (self._snapshot.cases if self._snapshot else [])
            if case.size_bytes == size and (is_python(case.transport) or (case.inflight, case.rate) == load)
        }
        points = {name: self._timeline.points((name, size, *((1, 0.0) if is_python(name) else load))) for name in plan.transports}
        elapsed = self._snapshot.elapsed_s if self._snapshot else 0.0
        view = LiveView(plan.transports, cases, points, end_of(elapsed), f"{size_text(size)}, {load_text(load)}")
        if view == self._view:
            return  # another size or load is being measured
        self._view = view
        self.over_time.show_data(view)
        self.spread.show_data(view)
