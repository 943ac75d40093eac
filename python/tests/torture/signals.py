"""Storms of signals: 1,000 a second reach a client with calls in flight, and its server. In every second storm the client's handler raises an
exception wherever it finds NanoRPC, and often again some microseconds later, in the middle of what the first one has set off.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
from common import PATIENCE, idle, running, services, settled, slots_lost, state_of, tell, within

import nanorpc
from nanorpc import aio

INTERVAL = 0.001
PACKAGE = os.path.dirname(nanorpc.__file__)
rng = random.Random(1)
sizes = (0, 10, 224, 225, 5000, 70_000)


class Storm(BaseException):
    """What the handler raises."""


class Wrong(Exception):
    """A reply that is not the call's."""


class Timer:
    """Signals, and what has come of them."""

    def __init__(self) -> None:
        self.raising = self.again = False
        self.signals = self.raised = 0
        self.cancelling = False  # the task, instead of raising, as asyncio does at Ctrl-C
        self.task: asyncio.Task[None] | None = None
        signal.signal(signal.SIGALRM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        if self.cancelling:
            if self.raising and self.task is not None and not self.task.done() and rng.random() < 0.1:
                self.raised += 1
                self.task.cancel()
                self.task.get_loop().call_soon_threadsafe(lambda: None)  # to wake it
            return
        if self.raising and self._may_raise(frame) and rng.random() < 0.7:
            self.raised += 1
            if self.again and rng.random() < 0.5:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 3e-5), INTERVAL)
            raise Storm

    def _may_raise(self, frame: FrameType | None) -> bool:
        # Neither here, where things are counted, nor in Python's own modules, of which some do not stand it.
        if frame is None or not frame.f_code.co_filename.startswith(PACKAGE):
            return False
        while frame is not None and not self.again:
            if frame.f_code.co_name in ("__del__", "_unused"):  # where Python drops the exception
                return False
            frame = frame.f_back
        return True

    @contextlib.contextmanager
    def blowing(self, raising: bool, again: bool) -> Any:
        self.raising, self.again = raising, again
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
        try:
            yield
        finally:
            self.raising = False
            signal.setitimer(signal.ITIMER_REAL, 0)


def payload() -> bytes:
    return rng.randbytes(rng.choice(sizes))


def expect(reply: Any, request: bytes) -> None:
    if bytes(reply) != request:
        raise Wrong(f"a reply of {len(reply)} bytes to a request of {len(request)}")


def calls(client: nanorpc.Client) -> None:
    request = payload()
    expect(client.call("same", request), request)
    if client.add(2, b=3) != 5:
        raise Wrong("a sum")
    array = client.array(100_000)  # which stays where it lies
    if not (array == 7).all():
        raise Wrong("an array")


def timeouts(client: nanorpc.Client) -> None:
    with contextlib.suppress(nanorpc.DeadlineExceeded):
        client.call("late", payload(), timeout=0.001)


def batches(client: nanorpc.Client) -> None:
    requests = [payload() for _ in range(rng.choice((1, 5, 300)))]
    with client.batch() as batch:
        entries = [batch.call("same", request) for request in requests]
    for entry, request in zip(entries, requests, strict=True):
        expect(entry.result(), request)


def futures(client: nanorpc.Client) -> None:
    requests = [payload() for _ in range(20)]
    started = [client.future("same", request) for request in requests]
    started[3].cancel()
    for i, future in enumerate(started):
        if i != 3:
            expect(future.result(PATIENCE), requests[i])


def loans(client: nanorpc.Client) -> None:
    request = payload()
    unsent = client.loan("same", 1000)
    with client.loan("same", len(request)) as loan:
        loan.view[:] = request
        lease = loan.send()
    array = np.frombuffer(lease.view, np.uint8)
    expect(array.tobytes(), request)
    del unsent
    expect(bytes(client.call_lease("same", request)), request)


def scarce(client: nanorpc.Client) -> None:
    held = [client.loan("same", 0, timeout=PATIENCE) for _ in range(254)]
    for _ in range(10):
        calls(client)
    del held


def connecting(_: nanorpc.Client) -> None:
    with nanorpc.connect("torture") as client:
        client.add(1)
        client.add.future(1).result(PATIENCE)


def loop(_: nanorpc.Client, timer: Timer) -> None:
    async def same(client: aio.Client) -> None:
        request = payload()
        expect(await client.call("same", request), request)

    async def main() -> None:
        timer.task = asyncio.current_task()
        async with aio.connect("torture") as client:
            await asyncio.gather(*(same(client) for _ in range(400)), *(client.later(i) for i in range(50)))
            loan = await client.loan("same", 300)
            await loan.send()

    timer.cancelling = True
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        if not timer.raising:
            raise
    finally:
        timer.task = None
        timer.cancelling = False


Kind = Callable[[nanorpc.Client], None]


class Storms:
    def __init__(self, server: int) -> None:
        self.server = server
        self.timer = Timer()
        self.client = nanorpc.connect("torture")
        self.observer = nanorpc.connect("torture", spin="none")
        self.kinds: list[Kind] = [calls, timeouts, batches, futures, loans, scarce, connecting, partial(loop, timer=self.timer)]
        for kind in self.kinds:
            for _ in range(2):
                kind(self.client)
        self.before = settled(os.getpid()), settled(server)

    def blow(self, kind: Kind, raising: bool, seconds: float) -> list[str]:
        """Let a storm blow, and return what is lost after it."""
        lost: list[str] = []
        others = [threading.Thread(target=self._beside, args=(seconds, lost)) for _ in range(2)]
        for thread in others:
            thread.start()
        end = time.monotonic() + seconds
        # Two exceptions in a row, and such as Python drops, are more than connecting can stand.
        with self.timer.blowing(raising, kind is not connecting):
            while time.monotonic() < end:
                try:
                    kind(self.client)
                except Storm:
                    pass
                except Exception as error:
                    lost.append(repr(error))
        for thread in others:
            thread.join()
        name = getattr(kind, "__name__", "asyncio")
        return [f"{name}, {'raising' if raising else 'quiet'}: {what}" for what in lost + self._left()]

    def _beside(self, seconds: float, lost: list[str]) -> None:
        """Call from another thread, which gets no signals."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                calls(self.client)
                futures(self.client)
            except Exception as error:
                lost.append(f"beside: {error!r}")
            time.sleep(0.002)

    def _left(self) -> list[str]:
        gc.collect()
        lost = slots_lost(self.client)
        if self.client.add(1, 2) != 3:
            lost.append("the client does not work")
        if not within(lambda: idle(self.observer)):
            lost.append("the server has calls in flight")
        for who, pid, before in zip(("the client", "the server"), (os.getpid(), self.server), self.before, strict=True):
            if not within(lambda pid=pid, before=before: state_of(pid) <= before, 5):  # type: ignore[misc]
                lost.append(f"{who} has {state_of(pid)} descriptors and segments, and had {before}")
        return lost


def main(count: int, seconds: float) -> None:
    warnings.simplefilter("ignore", ResourceWarning)  # of clients that an exception has kept from being closed
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # of loops that are slow
    unraisable: list[Any] = []
    sys.unraisablehook = lambda what: unraisable.append((what.exc_type, what.object))
    with services(), running("server.py", "signals") as server:
        storms = Storms(server.pid)
        for i in range(count):
            tell(storms.blow(storms.kinds[i // 2 % len(storms.kinds)], i % 2 == 1, seconds), tried=1)
        timer = storms.timer
        storms.client.close()
        storms.observer.close()
    swallowed = sum(issubclass(kind, Storm) for kind, _ in unraisable)
    other = [what for what in unraisable if not issubclass(what[0], Storm) and "nanorpc" in getattr(what[1], "__module__", "")]
    tell(
        [f"an exception in {what!r}: {kind.__name__}" for kind, what in other],
        note=f"{timer.signals} signals; their handler raised {timer.raised} times, {swallowed} of them where Python only reports it",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
