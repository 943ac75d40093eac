from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from measure_window import cpu_of
from PyQt5.QtCore import QSettings, Qt, QTimer
from PyQt5.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QMessageBox, QTableView, QTabWidget, QWidget
from pytestqt.qtbot import QtBot

from nanorpc.gui import app
from nanorpc.gui.about import about_text
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.theme import DARK, LIGHT
from nanorpc.gui.window import SCREENS, Window

LIMIT = 120_000  # ms


def test_keys_lead_to_screens(window: Window, qtbot: QtBot) -> None:
    for i, name in reversed(list(enumerate(SCREENS))):
        qtbot.keyClick(window, Qt.Key(Qt.Key_1 + i), Qt.ControlModifier)
        assert window.current is window.screens[name]


def test_export_says_where_there_is_something_to_export(window: Window, qtbot: QtBot) -> None:
    for name in SCREENS:
        window.show_screen(name)
        with qtbot.waitSignal(window.current.message, timeout=LIMIT, check_params_cb=lambda text: "export" in text):
            qtbot.keyClick(window, Qt.Key_E, Qt.ControlModifier)


def test_hidden_screens_do_not_draw(window: Window, qtbot: QtBot) -> None:
    window.show_screen("results")
    window.benchmark.options.show_plan(Plan(("uds",), (64,), duration_ms=100, rounds=3))
    with qtbot.waitSignal(window.benchmark.finished, timeout=LIMIT):
        window.benchmark.primary()
    assert window.benchmark.live.over_time._picture is None
    assert window.benchmark.model.rowCount() == 0
    window.show_screen("benchmark")
    assert window.benchmark.model.rowCount() == 1
    qtbot.waitUntil(lambda: window.benchmark.live.over_time._picture is not None, timeout=LIMIT)


def test_theme_changes_while_it_runs(window: Window, qtbot: QtBot, qapp: QApplication) -> None:
    for choice, theme in (("dark", DARK), ("light", LIGHT)):
        window._choose_theme(choice)
        assert window.appearance.theme is theme
        assert qapp.palette().window().color().name() == theme.window
        window.benchmark.options.show_plan(Plan(("uds",), (64,), duration_ms=30, rounds=1))
        with qtbot.waitSignal(window.benchmark.finished, timeout=LIMIT):
            window.benchmark.primary()
        plot = window.benchmark.live.over_time
        qtbot.waitUntil(lambda plot=plot: plot.idle and plot._picture is not None, timeout=LIMIT)
        assert plot._picture is not None
        assert "#" + plot._picture.pixels[:3].hex() == theme.base


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_read_and_told_apart(theme: object) -> None:
    """Contrast as WCAG 2 has it: 4.5 for text; 2 is asked of lines, which also have markers."""
    assert theme in (LIGHT, DARK)
    chosen = DARK if theme is DARK else LIGHT

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(a: str, b: str) -> float:
        high, low = sorted((luminance(a), luminance(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for background in (chosen.window, chosen.base):
        for text in (chosen.text, chosen.muted, chosen.error, chosen.warning, chosen.good):
            assert contrast(text, background) >= 4.5, (text, background)
    assert all(contrast(colour, chosen.base) >= 2 for colour in chosen.hues.values())
    series = chosen.series(
        ["limit", "nanorpc", "nanorpc-busy", "nanorpc-none", "nanorpc-loan", "nanorpc-batch", "uds", "uds-batch", "py uds", "x", "y"]
    )
    assert len({s.marker for s in series.values()}) == len(series)


def test_state_is_remembered(qtbot: QtBot, directory: Path, settings: QSettings) -> None:
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    window.resize(1111, 777)
    window.show_screen("history")
    window._choose_theme("dark")
    window.close()
    other = Window(str(directory), settings)
    qtbot.addWidget(other)
    assert (other.width(), other.height()) == (1111, 777)
    assert other.current is other.history
    assert other.appearance.theme is DARK
    other._choose_theme("light")
    other.close()


def test_everything_has_a_name(window: Window) -> None:
    for screen in window.screens.values():
        for widget in screen.findChildren(QWidget):
            if isinstance(widget, (QComboBox, QTableView, PlotWidget)) or (type(widget) is QLineEdit and not isinstance(widget.parent(), QWidget)):
                named = widget.accessibleName() or isinstance(widget.parent(), QComboBox)
                assert named, f"{screen.title}: a {type(widget).__name__} without a name"
            if isinstance(widget, QAbstractButton) and widget.isVisibleTo(screen):
                assert widget.text() or widget.accessibleName() or widget.objectName().startswith("qt_"), f"{screen.title}: a button without a name"


def test_each_mnemonic_is_one_widgets(window: Window) -> None:
    """Alt with a letter does something at once, rather than go from one widget to the next that has it."""
    menus = [action.text() for action in window.menuBar().actions()]
    for name in ("benchmark", "results", "history"):
        texts = [*menus]
        for widget in window.screens[name].findChildren(QWidget):
            if isinstance(widget, (QAbstractButton, QLabel)) and (not isinstance(widget, QLabel) or widget.buddy()):
                texts.append(widget.text())
            if isinstance(widget, QTabWidget):
                texts += [widget.tabText(i) for i in range(widget.count())]
        letters = [text[text.index("&") + 1].lower() for text in texts if "&" in text]
        assert len(letters) > 5
        assert len(letters) == len(set(letters)), f"{name}: {sorted(letters)}"


def test_slot_that_raises_shows_a_dialog_and_goes_on(window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def look() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            shown.append(box.text())
            box.accept()

    def fail() -> None:
        raise ValueError("no good")

    monkeypatch.setattr(sys, "excepthook", app._show)
    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    with qtbot.captureExceptions() as caught:  # pytest-qt has a hook of its own
        monkeypatch.setattr(sys, "excepthook", app._show)
        QTimer.singleShot(0, fail)
        qtbot.waitUntil(lambda: bool(shown), timeout=LIMIT)
    assert shown[0] == "ValueError: no good"
    assert not caught
    window.show_screen("results")  # it goes on


def test_about_names_what_is_used() -> None:
    text = about_text()
    for name in ("NanoRPC 0", "Qt 5", "matplotlib", "MIT", "GPL"):
        assert name in text


def test_window_costs_little_while_a_benchmark_runs(window: Window, qtbot: QtBot) -> None:
    """The longest that a slot of ours holds the event loop, and the CPU time of the window's threads.

    What other processes take of the machine must not count: the time that this thread itself works between two ticks of a timer is measured.
    """
    gc.collect()
    gc.freeze()  # as the application does
    gaps: list[int] = []
    by_the_clock: list[float] = []
    last, last_clock = time.thread_time_ns(), time.monotonic()

    def tick() -> None:
        nonlocal last, last_clock
        now, now_clock = time.thread_time_ns(), time.monotonic()
        gaps.append(now - last)
        by_the_clock.append(now_clock - last_clock)
        last, last_clock = now, now_clock

    ours = {thread.native_id for thread in threading.enumerate()}
    window.benchmark.options.show_plan(Plan(("limit", "nanorpc", "uds"), (64, 4096, 65536, 1 << 20), duration_ms=250, rounds=2))
    heartbeat = QTimer()
    heartbeat.timeout.connect(tick)
    heartbeat.start(5)
    before, start = cpu_of(ours), time.monotonic()
    with qtbot.waitSignal(window.benchmark.finished, timeout=LIMIT):
        window.benchmark.primary()
    ours |= {thread.native_id for thread in threading.enumerate()}
    share = (cpu_of(ours) - before) / (time.monotonic() - start)
    heartbeat.stop()
    gc.unfreeze()
    gaps.sort()
    assert len(gaps) > 100
    longest = [round(gap / 1e6) for gap in gaps[-5:]]
    waited = [round(gap * 1e3) for gap in sorted(by_the_clock)[-3:]]
    print(f"\nthe longest that our code held the loop, in ms: {longest}, by the clock with all that the machine does: {waited}")
    print(f"the window's threads took {share * 100:.1f} % of a CPU; load of the machine: {os.getloadavg()[0]:.1f}")
    assert longest[-2] < 100, f"the longest times that the loop was held, in ms: {longest}"
    assert share < 0.5
