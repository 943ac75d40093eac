"""What the live screens cost: the window's thread, the processor, and memory. Figures are printed; of times only what cannot depend on others is
asserted.
"""

from __future__ import annotations

import gc
import os
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QTimer
from pytestqt.qtbot import QtBot

import nanorpc
from nanorpc.gui.call.history import MOST, Entry
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.servers.events import Answered, Described
from nanorpc.gui.servers.model import RECORD
from nanorpc.gui.servers.record import KEPT, State
from nanorpc.gui.window import Window
from nanorpc.introspection import MethodInfo

LIMIT = 60_000  # ms
ROOT = Path(__file__).resolve().parents[3]
SERVERS = 12
Start = Callable[..., "subprocess.Popen[str]"]


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_the_window_with_many_servers(window: Window, qtbot: QtBot, start: Start) -> None:
    for number in range(SERVERS):
        start(str(ROOT / "server"), "-service", f"server{number}")
    window.show_screen("servers")
    screen = window.servers
    qtbot.waitUntil(
        lambda: screen.model.count(State.RUNNING) == SERVERS and all(screen.model.index(row, 2).data() != "–" for row in range(SERVERS)),
        timeout=LIMIT,
    )
    screen.table.selectRow(0)
    held: list[int] = []
    gaps: list[int] = []
    last = (time.thread_time_ns(), time.monotonic_ns())

    def tick() -> None:
        nonlocal last
        now = (time.thread_time_ns(), time.monotonic_ns())
        held.append(now[0] - last[0])
        gaps.append(now[1] - last[1])
        last = now

    heartbeat = QTimer()
    heartbeat.timeout.connect(tick)
    heartbeat.start(10)
    for page in ("list", "detail"):
        if page == "detail":
            screen.open_button.click()
        held.clear()
        gaps.clear()
        cpu, began = time.process_time(), time.monotonic()
        qtbot.wait(3000)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        longest = max(held) / 1e6
        print(f"{page} of {SERVERS} servers: {share * 100:.1f} % of a CPU, the loop was held for {longest:.1f} ms at most")
        print(f"the longest gap, with what others took of the machine: {max(gaps) / 1e6:.0f} ms; {threads()} threads")
        assert longest < 100
    heartbeat.stop()
    window.show_screen("call")
    qtbot.wait(1200)
    before = screen.model.index(0, 0).data(RECORD).sample
    qtbot.wait(2000)
    assert screen.model.index(0, 0).data(RECORD).sample is before, "it asks while it is hidden"
    window.show_screen("servers")
    qtbot.waitUntil(lambda: screen.model.index(0, 0).data(RECORD).sample is not before, timeout=LIMIT)


def test_answers_take_no_memory(window: Window, qtbot: QtBot, typed_server: subprocess.Popen[str]) -> None:
    """The answers of a third of an hour, one after the other: what is kept of them does not grow once the last minutes are full."""
    model = window.servers.model
    window.show_screen("servers")
    with nanorpc.connect("demo") as client:
        info, stats = client.describe(), client.stats()
        client.add(1)  # so that a method has a past
        model.take(Described(10**6, "hour", info))
        window.servers.show_server(next(record for row in range(model.rowCount()) if (record := model.index(row, 0).data(RECORD)).service == "hour"))

        def answers(count: int) -> None:
            for _ in range(count):
                model.take(Answered(10**6, "hour", client.stats()))
                model._tell()
            gc.collect()

        answers(KEPT + 100)
        detail = window.servers.detail
        qtbot.waitUntil(
            lambda: bool(detail.rolling.marks and detail.of_method.marks) and detail.rolling.idle and detail.of_method.idle, timeout=LIMIT
        )
        tracemalloc.start()
        answers(50)
        first = tracemalloc.get_traced_memory()[0]
        answers(1200)
        grown = tracemalloc.get_traced_memory()[0] - first
        tracemalloc.stop()
    print(f"grown by {grown:,} bytes in 1200 answers")
    assert grown < 350 << 10
    assert stats.service == "demo"


def test_calls_take_no_memory(window: Window, qtbot: QtBot, typed_server: subprocess.Popen[str]) -> None:
    window.show_screen("call")
    call = window.call
    qtbot.waitUntil(lambda: call.target.method.findText("tree") >= 0, timeout=LIMIT)
    call.target.method.setEditText("tree")

    def calls(count: int) -> None:
        for _ in range(count):
            call.send()
            qtbot.waitUntil(call.send_button.isEnabled, timeout=LIMIT)
        gc.collect()

    for number in range(MOST):  # the history is full
        call.past.add(Entry.of(Call("demo", MethodInfo(name="tree"), Mode.TEXT, text=str(number)), "done", [1]))
    calls(10)
    before = threads()
    tracemalloc.start()
    calls(10)
    first = tracemalloc.get_traced_memory()[0]
    calls(100)
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    print(f"grown by {grown:,} bytes in 100 calls")
    assert call.past.model.rowCount() == MOST
    assert grown < 512 << 10
    assert threads() <= before + 16
