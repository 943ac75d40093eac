"""Runs one benchmark after the other in the dashboard for some seconds, and prints what the window costs meanwhile.

``measure_window.py SECONDS [SCREEN]``, with ``QT_QPA_PLATFORM=offscreen`` where there is no display.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path

from PyQt5.QtCore import QSettings, QTimer
from PyQt5.QtWidgets import QApplication

from nanorpc.gui.bench.plan import QUICK
from nanorpc.gui.window import SCREENS, Window

_TICK = 5  # ms
_LONGEST = 10_000  # ms that are told apart
_SAMPLES = 12  # of memory, over the whole time


class Times:
    """How often something has taken how long. They are counted, not kept: what is measured here is memory as well."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * (_LONGEST + 1)))  # by ms

    def add(self, seconds: float) -> None:
        self._counts[min(int(seconds * 1000), _LONGEST)] += 1

    def __str__(self) -> str:
        longest = max((i for i, count in enumerate(self._counts) if count), default=0)
        total, below, p99 = sum(self._counts), 0, 0
        while below < total * 0.99:
            below += self._counts[p99]
            p99 += 1
        return f"max {longest} ms, p99 {p99} ms"


class Heartbeat:
    """How long it takes from one tick of a timer to the next: by the clock, and of that what the window's thread has worked."""

    def __init__(self) -> None:
        self.gaps, self.worked = Times(), Times()
        self._last = (time.monotonic(), time.thread_time())
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(_TICK)

    def _tick(self) -> None:
        now = (time.monotonic(), time.thread_time())
        self.gaps.add(now[0] - self._last[0])
        self.worked.add(now[1] - self._last[1])
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


def main() -> None:
    duration, screen = float(sys.argv[1]), (sys.argv[2:] or ["benchmark"])[0]
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        window = Window(place, QSettings(str(Path(place) / "settings"), QSettings.IniFormat), Path(place) / "history.sqlite3")
        window.show_screen("benchmark")
        window.show()
        gc.collect()
        gc.freeze()  # as the application does
        window.benchmark.options.show_plan(QUICK)
        window.benchmark.primary()
        window.benchmark.finished.connect(lambda record: again(window, record.state))
        for name in (*SCREENS, screen):  # what a screen reads when it is first shown is there, and grows if it does
            window.show_screen(name)
        threads = own_threads()
        QTimer.singleShot(2000, lambda: begin(window, application, duration))
        print(f"the {screen} screen, a benchmark runs, load of the machine {os.getloadavg()[0]:.1f}, {len(threads)} threads of Python", flush=True)
        application.exec_()
        window.close()


def again(window: Window, state: str) -> None:
    """Run the next benchmark, if the last one has come to its end: figures without load would be of no use."""
    if state != "done":
        sys.exit(f"a benchmark is {state}: what has been measured until now is not worth anything")
    window.benchmark.primary()


def begin(window: Window, application: QApplication, duration: float) -> None:
    """Measure from now on: what is made once has been made."""
    heartbeat = Heartbeat()
    known = own_threads()
    cpu, began = cpu_of(known), time.monotonic()
    sizes = [resident()]
    sampler = QTimer()
    sampler.timeout.connect(lambda: sizes.append(resident()) if window.benchmark.running else sys.exit("no benchmark runs"))
    sampler.start(int(duration * 1000 / _SAMPLES))

    def end() -> None:
        heartbeat.stop()
        sampler.stop()
        seconds = time.monotonic() - began
        sizes.append(resident())
        share = (cpu_of(known | own_threads()) - cpu) / seconds
        print(f"{seconds:.0f} s. Gap of the event loop: {heartbeat.gaps}; of that worked by its thread: {heartbeat.worked}")
        print(f"CPU of the window's threads: {share * 100:.1f} % of one")
        print("resident memory in MiB, from the start to the end: " + ", ".join(f"{size / 1024:.1f}" for size in sizes), flush=True)
        window.benchmark.finished.disconnect()
        application.quit()

    QTimer.singleShot(int(duration * 1000), end)


if __name__ == "__main__":
    main()
