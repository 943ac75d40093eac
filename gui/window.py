"""The window: its screens, menus and status bar, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PyQt5.QtCore import QSettings
from PyQt5.QtGui import QCloseEvent, QKeySequence
from PyQt5.QtWidgets import QAction, QActionGroup, QApplication, QMainWindow, QMenu, QTabWidget

from nanorpc.gui.about import AboutBox
from nanorpc.gui.appearance import CHOICES, Appearance
from nanorpc.gui.benchmark_screen import BenchmarkScreen
from nanorpc.gui.call_screen import CallScreen
from nanorpc.gui.history_screen import HistoryScreen
from nanorpc.gui.record import Record
from nanorpc.gui.results_screen import ResultsScreen
from nanorpc.gui.screen import Screen
from nanorpc.gui.servers_screen import ServersScreen
from nanorpc.gui.theme import Theme

SCREENS = ("benchmark", "results", "history", "servers", "call")
"""The screens' names, in the order of their keys, Ctrl+1 and so on."""

_SMALLEST = (1000, 650)
_FIRST = (1240, 800)


class Window(QMainWindow):
    """The dashboard.

    :param directory: where services are found; ``None`` for the default.
    :param settings: what is remembered; by default the user's.
    :param history: the data base of runs, beside which that of calls is; by default the user's.
    """

    def __init__(self, directory: str | None = None, settings: QSettings | None = None, history: Path | None = None) -> None:
        super().__init__()
        self.setWindowTitle("NanoRPC")
        self.setMinimumSize(*_SMALLEST)
        self._settings = settings or QSettings("nanorpc", "dashboard")
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self.appearance = Appearance(application, str(self._settings.value("theme", "system")))

        self.benchmark = BenchmarkScreen()
        self.results = ResultsScreen()
        self.history = HistoryScreen(history)
        self.servers = ServersScreen(directory)
        self.call = CallScreen(directory, history and history.with_name("calls.sqlite3"))
        screens = (self.benchmark, self.results, self.history, self.servers, self.call)
        self.screens: dict[str, Screen] = dict(zip(SCREENS, screens, strict=True))
        self._join()

        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        self._tabs.setAccessibleName("Screens")
        for screen in self.screens.values():
            self._tabs.addTab(screen, screen.title.replace("&", ""))  # Alt with a letter is for what is on a screen
            screen.message.connect(self.statusBar().showMessage)
        self.setCentralWidget(self._tabs)
        self.statusBar().showMessage("Ready")
        self._make_menus()
        self._restore()
        self._shown = self.current
        self._tabs.currentChanged.connect(self._changed)
        self.appearance.changed.connect(self._apply_theme)
        self._apply_theme(self.appearance.theme)
        self._shown.activated()

    def _join(self) -> None:
        """Hand runs from screen to screen: what was measured is shown and kept, and shown again from the history."""
        self.benchmark.finished.connect(self.results.show_run)
        self.benchmark.finished.connect(self.history.keep)
        self.benchmark.results_button.clicked.connect(lambda _: self.show_screen("results"))
        self.history.kept.connect(self.results.numbered)
        self.history.opened.connect(self._open)
        self.history.compared.connect(self._open)
        self.history.deleted.connect(self.results.forget)
        self.servers.call_wanted.connect(self._call)

    def _open(self, run: Record, beside: Record | None = None) -> None:
        if beside is not None:
            self.results.set_baseline(beside)
        self.results.show_run(run)
        self.show_screen("results")

    @property
    def current(self) -> Screen:
        """The screen in front."""
        screen = self._tabs.currentWidget()
        assert isinstance(screen, Screen)
        return screen

    def show_screen(self, name: str) -> None:
        """Bring a screen to the front: one of :data:`SCREENS`."""
        self._tabs.setCurrentWidget(self.screens[name])

    def _make_menus(self) -> None:
        actions = self.menuBar().addMenu("&File")
        for text, key, do in (
            ("&Run", "Ctrl+R", lambda: self.current.primary()),
            ("S&top", "Esc", lambda: self.current.stop()),
            ("Re&fresh", "F5", lambda: self.current.refresh()),
            ("&Export …", "Ctrl+E", lambda: self.current.export()),
        ):
            self._add(actions, text, key, do)
        actions.addSeparator()
        self._add(actions, "&Quit", "Ctrl+Q", self.close)

        view = self.menuBar().addMenu("&View")
        for i, name in enumerate(SCREENS):
            self._add(view, self.screens[name].title, f"Ctrl+{i + 1}", partial(self.show_screen, name))
        view.addSeparator()
        themes = view.addMenu("&Theme")
        group = QActionGroup(self)
        for choice in CHOICES:
            action = self._add(themes, f"&{choice.capitalize()}", "", partial(self._choose_theme, choice))
            action.setCheckable(True)
            action.setChecked(choice == self.appearance.choice)
            group.addAction(action)
        self._add(self.menuBar().addMenu("&Help"), "&About NanoRPC", "", lambda: AboutBox(self).exec_())

    def _add(self, menu: QMenu, text: str, key: str, do: Callable[[], object]) -> QAction:
        action = menu.addAction(text)
        action.triggered.connect(lambda _: do())
        if key:
            action.setShortcut(QKeySequence(key))
        return action

    def _call(self, service: str, method: str) -> None:
        self.show_screen("call")
        self.call.choose(service, method)

    def _changed(self, _: int) -> None:
        self._shown.deactivated()
        self._shown = self.current
        self._shown.activated()

    def _choose_theme(self, choice: str) -> None:
        self._settings.setValue("theme", choice)
        self.appearance.choose(choice)

    def _apply_theme(self, theme: Theme) -> None:
        for screen in self.screens.values():
            screen.apply_theme(theme)

    @contextmanager
    def _group(self, name: str) -> Iterator[None]:
        self._settings.beginGroup(name)
        try:
            yield
        finally:
            self._settings.endGroup()

    def _restore(self) -> None:
        self.resize(*_FIRST)
        with self._group("window"):
            if geometry := self._settings.value("geometry"):
                self.restoreGeometry(geometry)
            last = str(self._settings.value("screen", SCREENS[0]))
        if last in self.screens:
            self.show_screen(last)
        for name, screen in self.screens.items():
            with self._group(name):
                screen.restore_state(self._settings)

    def _save(self) -> None:
        with self._group("window"):
            self._settings.setValue("geometry", self.saveGeometry())
            self._settings.setValue("screen", next(name for name, screen in self.screens.items() if screen is self.current))
        for name, screen in self.screens.items():
            with self._group(name):
                screen.save_state(self._settings)
        self._settings.sync()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the state, and stop what runs, so that no process stays behind."""
        self._save()
        self._shown.deactivated()
        for screen in self.screens.values():
            screen.shutdown()
        event.accept()
