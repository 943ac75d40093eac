"""A server, which ends with its standard input. With the argument ``signals``, 1,000 signals come each second."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time

import numpy as np
from numpy.typing import NDArray

import nanorpc

service = nanorpc.Service("torture")
waiting = 0


@service.method
def add(a: int, b: int = 1) -> int:
    return a + b


@service.method
def array(length: int) -> NDArray[np.uint8]:
    return np.full(length, 7, np.uint8)


@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request


@service.method(raw=True)
def late(request: bytes) -> bytes:
    time.sleep(0.003)
    return request


@service.method
async def later(value: int) -> int:
    await asyncio.sleep(0.001)
    return value


@service.method
async def wait() -> None:
    global waiting
    waiting += 1
    try:
        await asyncio.sleep(1000)
    finally:
        waiting -= 1


@service.method
async def callers() -> int:
    return waiting


def end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class Telling(nanorpc.Server):
    def start(self) -> None:
        super().start()
        print("ready", flush=True)


if __name__ == "__main__":
    if "signals" in sys.argv:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    threading.Thread(target=end_with_input, daemon=True).start()
    Telling(service, workers=2, arena=64 << 20, max_payload=8 << 20).run()
