"""Ctrl-C at the moment at which a call gets what it has waited for: that is given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import _thread, sys, threading, time
import nanorpc

service = nanorpc.Service("moments")
MAX = 4 << 20

@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request

def waits(what):
    return {
        "call": lambda: client.call("same"),
        "loan": lambda: client.loan("same", 0),
        "lease": lambda: client.call_lease("same"),
        "future": lambda: client.future("same").result(),
        "batch": run,
    }[what]

def run():
    batch = client.batch()
    for _ in range(3):
        batch.call("same")
    batch.run()

def interrupt(held, gap):
    time.sleep(0.02)
    _thread.interrupt_main()  # while the main thread waits, for 50 ms at most,
    time.sleep(gap)
    held.clear()  # it gets what it waits for, and the interrupt

with nanorpc.Server(service), nanorpc.connect("moments") as client:
    wait = waits(sys.argv[1])
    interrupted = 0
    for i in range(12):
        held = [client.loan("same", 0, timeout=30) for _ in range(256)]
        thread = threading.Thread(target=interrupt, args=(held, 0.0005 * (i % 4)))
        try:
            thread.start()
            wait()
            time.sleep(1)
        except KeyboardInterrupt:
            interrupted += 1
        thread.join()
    held = [client.loan("same", 0, timeout=30) for _ in range(256)]
    del held
    assert interrupted == 12
print("all right")
"""


@pytest.mark.parametrize("what", ["call", "loan", "lease", "future", "batch"])
def test_a_slot_comes_with_the_interrupt(directory: Path, what: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "all right"), done.stderr[-3000:]


REPLY = """
import _thread, random, threading, time
import nanorpc

service = nanorpc.Service("replies")

@service.method(raw=True)
def pause(request: bytes) -> bytes:
    time.sleep(float(request))
    return request

def interrupt(after):
    time.sleep(after)
    _thread.interrupt_main()

generator = random.Random(1)
interrupted = 0
with nanorpc.Server(service), nanorpc.connect("replies") as client:
    for i in range(300):
        took = 0.05 if i % 10 == 0 else 0.001  # as long as a slice, after which the core returns without a reply; or within it
        thread = threading.Thread(target=interrupt, args=(took + generator.uniform(-0.0005, 0.0005),))
        try:
            client.call("pause", b"0")
            thread.start()
            client.call("pause", b"%g" % took)
            thread.join()
            time.sleep(1)
        except KeyboardInterrupt:
            interrupted += 1
        thread.join()
    assert interrupted == 300
    held = [client.loan("pause", 0, timeout=30) for _ in range(256)]
    del held
print("all right")
"""


def test_the_interrupt_comes_with_the_reply(directory: Path) -> None:
    done = subprocess.run([sys.executable, "-c", REPLY], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "all right"), done.stderr[-3000:]
