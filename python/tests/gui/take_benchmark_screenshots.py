"""Opens the dashboard, measures as a user would, and saves pictures of the benchmark, its results and their history.

``take_benchmark_screenshots.py SCALE FOLDER THEME...``
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PyQt5.QtCore import QItemSelectionModel, QPoint, QSettings, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from take_screenshots import Pictures, wait

from nanorpc.gui.about import AboutBox
from nanorpc.gui.bench.plan import PRESETS, Plan
from nanorpc.gui.window import Window

MANY = Plan(("limit", "nanorpc", "nanorpc-none", "nanorpc-loan", "uds", "py nanorpc", "py uds"), (64, 4096, 65536, 1 << 20), duration_ms=60, rounds=3)
LOADS = replace(PRESETS["Throughput"], duration_ms=40, warmup_ms=5)
AGAIN = replace(MANY, duration_ms=30, warmup_ms=5, rounds=2)


def main() -> None:
    scale, folder, *themes = sys.argv[1:]
    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        settings = QSettings(str(Path(place) / "settings"), QSettings.IniFormat)
        window = Window(place, settings, Path(place) / "history.sqlite3")
        window.show()
        pictures = Pictures(window, scale, Path(folder), themes)
        try:
            drive(window, pictures)
        finally:
            window.close()
    print(json.dumps({"clipped": pictures.clipped, "ratio": window.devicePixelRatioF()}))
    del application


def drive(window: Window, pictures: Pictures) -> None:
    """Go through all states of the screens."""
    for name in ("results", "history"):
        window.show_screen(name)
        QTest.qWait(300)
        pictures.take(f"{name}-none")
    window.show_screen("benchmark")
    wait(lambda: window.benchmark.preflight.findings)
    pictures.take("benchmark-none")
    for i, plan in enumerate((MANY, LOADS, AGAIN)):
        window.show_screen("benchmark")
        window.benchmark.options.show_plan(plan)
        window.benchmark.primary()
        if i == 0:
            wait(lambda: window.benchmark.progress.value() > 450)
            pictures.take("benchmark-runs")
        wait(lambda: not window.benchmark.running)
        wait(lambda i=i: window.results.run is not None and window.results.run.id == i + 1)
        if i == 0:
            pictures.take("benchmark")
            window.results.pin()
        if i == 1:
            window.results.set_baseline(None)
            window.show_screen("results")
            window.results.plots.setCurrentIndex(1)
            pictures.take("results-throughput")
            window.results.plots.setCurrentIndex(0)
    window.show_screen("results")
    pictures.take("results")
    window.show_screen("history")
    wait(lambda: window.history.model.rowCount() == 3)
    window.history.compare()
    history = window.history
    for row in (0, 2):
        flags = QItemSelectionModel.Select | QItemSelectionModel.Rows
        history.table.selectionModel().select(history.proxy.index(row, 0), flags)  # type: ignore[arg-type]
    pictures.take("history")
    history.compare()
    wait(lambda: window.results.baseline is not None)
    results = window.results
    wait(lambda: results.percentiles.idle and results.percentiles.marks)
    pictures.take("results-compared")
    x, y = results.percentiles.marks[1].pixels[5]
    QTest.mouseMove(results.percentiles, QPoint(round(x), round(y)))
    pictures.take("results-hover")
    about = AboutBox(window)
    about.show()
    QTest.qWait(200)
    about.grab().save(str(pictures.folder / f"about-{pictures.themes[-1]}-{pictures.scale}x.png"))
    about.close()


if __name__ == "__main__":
    main()
