"""Services that tests run in processes of their own: ``nanorpc serve programs:calc``."""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import nanorpc

calc = nanorpc.Service("calc", version="1.2", doc="Arithmetic.")
answers = nanorpc.Service("answers")
number = 42


@dataclass
class Picture:
    name: str
    content: bytes = b""


@calc.method(idempotent=True)
def add(a: int, b: int = 5) -> int:
    """Add two numbers."""
    return a + b


@calc.method
def hello(name: str) -> str:
    return f"hello, {name}"


@calc.method
def reverse(data: bytes) -> bytes:
    return data[::-1]


@calc.method
def double(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    return numbers * 2


@calc.method
def day(when: datetime.date, shift: int | None = None) -> dict[str, object]:
    return {"day": when + datetime.timedelta(days=shift or 0), "nothing": None, "odd": float("nan"), "key": {3: 4}}


@calc.method
def rename(picture: Picture, *, name: str | None = None) -> Picture:
    return Picture(name or "", picture.content + b"\xff")


@calc.method
async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


@calc.method
def fail() -> None:
    raise KeyError("no such thing")


@calc.method
def die() -> None:
    print("the end", flush=True)
    os._exit(3)


@calc.method(raw=True)
def upper(request: bytes) -> bytes:
    return request.upper()


@answers.method
async def rest(seconds: float) -> None:
    await asyncio.sleep(seconds)


@answers.method
async def block(seconds: float) -> None:
    time.sleep(seconds)


@answers.method
async def leave() -> None:
    sys.exit("not here")


@answers.method
def answer() -> int:
    return number
