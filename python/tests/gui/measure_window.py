"""Runs a benchmark in the dashboard for some seconds, and prints what the window costs meanwhile.

``measure_window.py SECONDS [SCREEN]``, with ``QT_QPA_PLATFORM=offscreen`` where there is no display.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from PyQt5.QtCore import QSettings, QTimer
from PyQt5.QtWidgets import QApplication

from nanorpc.gui.bench.plan import QUICK
from nanorpc.gui.window import Window

_TICK = 5  # ms
_SAMPLES = 12  # of memory, over the whole time


class Heartbeat:
    """How long it takes from one tick of a timer to the next: by the clock, and of that what the window's thread has worked."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.worked: list[float] = []
        self._last = (time.monotonic(), time.thread_time())
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(_TICK)

    def _tick(self) -> None:
        now = (time.monotonic(), time.thread_time())
        self.gaps.append(now[0] - self._last[0])
        self.worked.append(now[1] - self._last[1])
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


def cpu_of(threads: set[int | None]) -> float:
    """Return the CPU time in seconds of threads of this process. Those of the load, which is in Go, are not among Python's."""
    total = 0
    for thread in threads:
        try:
            fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def own_threads() -> set[int | None]:
    return {thread.native_id for thread in threading.enumerate()}


def resident() -> int:
    """Return the KiB of memory that the process has."""
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])


def text_of(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"max {ordered[-1] * 1e3:.0f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1e3:.1f} ms"


def main() -> None:
    duration, screen = float(sys.argv[1]), (sys.argv[2:] or ["benchmark"])[0]
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        window = Window(place, QSettings(str(Path(place) / "settings"), QSettings.IniFormat), Path(place) / "history.sqlite3")
        window.show_screen("benchmark")
        window.show()
        gc.collect()
        gc.freeze()  # as the application does
        window.benchmark.options.show_plan(replace(QUICK, rounds=1000))
        window.benchmark.primary()
        window.benchmark.finished.connect(lambda _: window.benchmark.primary())
        window.show_screen(screen)
        threads = own_threads()
        QTimer.singleShot(2000, lambda: begin(window, application, duration))
        print(f"the {screen} screen, a benchmark runs, load of the machine {os.getloadavg()[0]:.1f}, {len(threads)} threads of Python", flush=True)
        application.exec_()
        window.close()


def begin(window: Window, application: QApplication, duration: float) -> None:
    """Measure from now on: what is made once has been made."""
    heartbeat = Heartbeat()
    known = own_threads()
    cpu, began = cpu_of(known), time.monotonic()
    sizes = [resident()]
    sampler = QTimer()
    sampler.timeout.connect(lambda: sizes.append(resident()))
    sampler.start(int(duration * 1000 / _SAMPLES))

    def end() -> None:
        heartbeat.stop()
        sampler.stop()
        seconds = time.monotonic() - began
        sizes.append(resident())
        share = (cpu_of(known | own_threads()) - cpu) / seconds
        print(f"{seconds:.0f} s. Gap of the event loop: {text_of(heartbeat.gaps)}; of that worked by its thread: {text_of(heartbeat.worked)}")
        print(f"CPU of the window's threads: {share * 100:.1f} % of one")
        print("resident memory in MiB, from the start to the end: " + ", ".join(f"{size / 1024:.1f}" for size in sizes), flush=True)
        window.benchmark.finished.disconnect()
        application.quit()

    QTimer.singleShot(int(duration * 1000), end)


if __name__ == "__main__":
    main()
