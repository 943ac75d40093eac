"""Measures with the dashboard, and saves the README's two pictures, in few colours so that they are small.

``take_readme_pictures.py FOLDER``
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtGui import QFont
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from take_screenshots import wait

from nanorpc.gui.bench.plan import PRESETS
from nanorpc.gui.plots import PlotWidget
from nanorpc.gui.window import Window

SIZE = (1180, 740)
COLOURS = 256
PLAN = replace(PRESETS["Sizes"], transports=("limit", "nanorpc", "nanorpc-loan", "uds"), sizes=(64, 512, 4096, 32768, 262144, 1 << 20), rounds=5)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    application = QApplication([])
    application.setFont(QFont("DejaVu Sans", 10))  # about what desktops have
    with tempfile.TemporaryDirectory() as place:
        settings = QSettings(str(Path(place) / "settings"), QSettings.IniFormat)
        settings.setValue("theme", "light")
        window = Window(place, settings, Path(place) / "history.sqlite3")
        window.setAttribute(Qt.WA_DontShowOnScreen)
        window.resize(*SIZE)
        window.show()
        QTest.qWait(1500)  # the preflight looks at the machine
        window.benchmark.options.show_plan(PLAN)
        window.benchmark.primary()
        wait(lambda: window.benchmark.progress.value() > 800)
        save(window, folder / "benchmark.png")
        wait(lambda: not window.benchmark.running)
        wait(lambda: window.results.run is not None and window.results.run.id == 1)
        window._choose_theme("dark")
        window.show_screen("results")
        save(window, folder / "results.png")
        window.close()
    del application


def save(window: Window, path: Path) -> None:
    for plot in window.findChildren(PlotWidget):
        wait(lambda plot=plot: plot.idle or not plot.isVisible())
    QTest.qWait(100)
    window.grab().save(str(path))
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
