"""Clients and servers in Python that are killed: at random moments, beside others; and while 16 callers wait."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import signals
from common import end, idle, resting, running, services, settled, start, state_of, tell, within

import nanorpc
from nanorpc import aio

THREADS, FUTURES, TASKS = 8, 4, 4
CALLERS = THREADS + FUTURES + TASKS


def clients(count: int) -> None:
    """Kill clients of a server at random moments, beside others that compare replies."""
    with services(), running("server.py") as server, running("kills.py", "bystander") as one, running("kills.py", "bystander") as other:
        observer = nanorpc.connect("torture", spin="none")
        with running("kills.py", "victim"):
            pass  # the first takes what the server keeps
        within(lambda: len(observer.stats().connections) == 3)
        before = resting(server.pid)
        for i in range(count):
            victim = start("kills.py", "victim")
            assert victim.stdout is not None
            lost = [] if victim.stdout.readline() == "ready\n" else ["a victim does not get ready"]
            time.sleep(random.uniform(0, 0.05))
            victim.kill()
            killed = time.monotonic()
            back = within(lambda: state_of(server.pid) <= before)
            took = time.monotonic() - killed
            end(victim)
            if not back:
                lost.append(f"kill {i}: the server has {state_of(server.pid)} descriptors and segments, and had {before}")
            tell(lost, tried=1, ms=[1000 * took])
        lost = []
        for bystander in (one, other):
            bystander.communicate("")  # which ends it
            if bystander.returncode != 0:
                lost.append(f"a bystander has ended with {bystander.returncode}")
        if not within(lambda: idle(observer)):
            lost.append("the server has calls in flight")
        observer.close()
        tell(lost)


def use(stop: Callable[[], bool]) -> None:
    """Use all that a client has, and compare what comes back."""
    timer = signals.Timer()
    with nanorpc.connect("torture") as client:
        client.add(1)
        print("ready", flush=True)
        while not stop():
            for kind in (signals.calls, signals.timeouts, signals.batches, signals.futures, signals.loans, signals.connecting):
                kind(client)
            signals.loop(client, timer)


def stand_by() -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    use(lambda: ended.wait(0.02))


class Blocked:
    """Callers that wait, in threads, for futures, and in tasks."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[float, BaseException | None]] = []  # when each has ended, and how
        self.client = nanorpc.connect("torture")
        self._pool = ThreadPoolExecutor(THREADS)
        for _ in range(THREADS):
            self._pool.submit(self._noted, self.client.wait)
        for _ in range(FUTURES):
            self.client.wait.future().add_done_callback(lambda future: self.outcomes.append((time.monotonic(), future.exception())))
        self._loop = threading.Thread(target=lambda: asyncio.run(self._tasks()))
        self._loop.start()

    def _noted(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            self.outcomes.append((time.monotonic(), error))
        else:
            self.outcomes.append((time.monotonic(), None))

    async def _tasks(self) -> None:
        async def one(client: aio.Client) -> None:
            try:
                await client.wait()
            except BaseException as error:
                self.outcomes.append((time.monotonic(), error))

        async with aio.connect("torture") as client:
            await asyncio.gather(*(one(client) for _ in range(TASKS)))

    def end(self) -> None:
        self._pool.shutdown()
        self._loop.join()
        self.client.close()


def servers(count: int) -> None:
    """Kill servers while callers wait. The next one is started with what the last has left."""
    with services():
        before = None
        for _ in range(count + 1):  # the first is for what this process keeps
            server = start("server.py")
            assert server.stdout is not None
            lost = [] if server.stdout.readline() == "ready\n" else ["a server does not start"]
            blocked = Blocked()
            if not within(lambda blocked=blocked: blocked.client.callers() == CALLERS):  # type: ignore[misc]
                lost.append("the callers do not come to wait")
            time.sleep(random.uniform(0, 0.003))
            server.kill()
            killed = time.monotonic()
            if not within(lambda blocked=blocked: len(blocked.outcomes) == CALLERS):  # type: ignore[misc]
                lost.append(f"{CALLERS - len(blocked.outcomes)} callers are still blocked")
                tell(lost, tried=1)
                os._exit(1)  # they would keep this process
            lost += [f"a blocked call ended with {error!r}" for _, error in blocked.outcomes if not isinstance(error, nanorpc.ServerGone)]
            times = [1000 * max(at - killed, 0) for at, _ in blocked.outcomes]
            blocked.end()
            end(server)
            del blocked
            if before is None:
                before = settled(os.getpid())
                continue
            if not within(lambda before=before: state_of(os.getpid()) <= before):  # type: ignore[misc]
                lost.append(f"the client has {state_of(os.getpid())} descriptors and segments, and had {before}")
            tell(lost, tried=1, ms=times)
        with running("server.py"), nanorpc.connect("torture") as client:
            tell([] if client.add(1, 2) == 3 else ["the last server does not serve"])


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "victim":
        use(lambda: False)
    elif what == "bystander":
        stand_by()
    elif what == "clients":
        clients(int(sys.argv[2]))
    else:
        servers(int(sys.argv[2]))
