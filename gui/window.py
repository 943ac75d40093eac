"""The window, with its tabs."""

from __future__ import annotations

from PyQt5.QtGui import QCloseEvent
from PyQt5.QtWidgets import QMainWindow, QTabWidget

from nanorpc.gui.benchmark_tab import BenchmarkTab
from nanorpc.gui.call_tab import CallTab


class Window(QMainWindow):
    """The dashboard.

    :param directory: where services are found; ``None`` for the default.
    """

    def __init__(self, directory: str | None = None) -> None:
        super().__init__()
        self.setWindowTitle("NanoRPC")
        self.benchmark = BenchmarkTab()
        self.call = CallTab(directory)
        self._tabs = QTabWidget()
        self._tabs.addTab(self.benchmark, "&Benchmark")
        self._tabs.addTab(self.call, "&Call")
        self._tabs.currentChanged.connect(self._changed)
        self.setCentralWidget(self._tabs)
        self.statusBar().showMessage("Ready")
        self.benchmark.message.connect(self.statusBar().showMessage)
        self.call.message.connect(self.statusBar().showMessage)
        self.resize(1180, 780)

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front: ``benchmark`` or ``call``."""
        self._tabs.setCurrentWidget(self.call if name == "call" else self.benchmark)

    def _changed(self, _: int) -> None:
        if self._tabs.currentWidget() is self.call:
            self.call.refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs, so that no process stays behind."""
        self.benchmark.close_run()
        self.call.close_calls()
        event.accept()
