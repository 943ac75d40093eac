"""Processes that come of one with a connection and calls in flight: forked, spawned, and executed. Nothing of the connection is theirs, and it goes
on.
"""

from __future__ import annotations

import gc
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable

from common import idle, running, services, settled, slots_lost, state_of, tell, within

import nanorpc

LIST = "ls -l /proc/self/fd"
OURS = re.compile(r"shm|memfd|socket|eventfd|eventpoll")


def inherited(listing: str) -> list[str]:
    """Return what a list of descriptors has of ours."""
    return [f"{line!r} has been inherited" for line in listing.splitlines() if OURS.search(line)]


def in_child(function: Callable[[], int]) -> list[str]:
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        status = 99
        try:
            status = function()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return [f"a child has ended with {status}"] if status else []


class Trials:
    def __init__(self, server: int) -> None:
        self.server = server
        self.client = nanorpc.connect("torture")
        self.observer = nanorpc.connect("torture", spin="none")
        self.client.callers()  # a coroutine function: the server has its loop from now on
        self.lease = self.client.call_lease("same", bytes(100_000))
        self.stop = threading.Event()
        self.lost: list[str] = []

    def _call(self) -> None:
        """Call all the time, in ways that take locks, until the trials are over."""
        rng = random.Random()
        while not self.stop.is_set():
            request = rng.randbytes(rng.choice((10, 5000)))
            with self.client.batch() as batch:
                entry = batch.call("same", request)
            if self.client.call("same", request) != request or self.client.future("same", request).result(60) != request or entry.result() != request:
                self.lost.append("a wrong reply")
            time.sleep(0.001)

    def _use(self) -> int:
        """Use everything in a forked process."""
        batch = self.client.batch()
        batch.add(1)
        loan = self.loan
        uses: list[Callable[[], object]] = [
            lambda: self.client.add(1),
            lambda: self.client.future("same"),
            lambda: self.client.loan("same", 10),
            batch.run,
            loan.send,
            lambda: nanorpc.connect("torture"),
        ]
        for i, use in enumerate(uses):
            try:
                use()
            except nanorpc.ForkError:
                continue
            return 10 + i
        self.lease.release()
        self.client.close()
        return 0

    def forks(self) -> list[str]:
        self.loan = self.client.loan("same", 10)
        return in_child(self._use)

    def forks_and_drops(self) -> list[str]:
        return in_child(self._drop)

    def _drop(self) -> int:
        """Let everything go in a forked process."""
        warnings.simplefilter("ignore")  # that it has not been closed
        del self.client, self.observer, self.lease
        gc.collect()
        return 0

    def spawns(self) -> list[str]:
        reader, writer = os.pipe()
        child = os.posix_spawn("/bin/sh", ["sh", "-c", LIST], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
        os.close(writer)
        with os.fdopen(reader) as lines:
            listing = lines.read()
        os.waitpid(child, 0)
        return inherited(listing)

    def runs(self) -> list[str]:
        return inherited(subprocess.run(["sh", "-c", LIST], close_fds=False, capture_output=True, text=True, check=True).stdout)

    def executes(self) -> list[str]:
        """A client that becomes another program: the server sees it go, while that runs on."""
        before = settled(self.server)
        process = subprocess.Popen([sys.executable, __file__, "client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            if process.stdout.readline() != "ready\n":
                return ["the client does not get ready"]
            there = state_of(self.server)
            process.stdin.write("go\n")
            process.stdin.flush()
            listing = "".join(iter(process.stdout.readline, "listed\n"))
            lost = inherited(listing)
            if there <= before:
                lost.append(f"the client was not there: {there}")
            if not within(lambda: state_of(self.server) <= before):
                lost.append(f"the server has {state_of(self.server)}, and had {before}")
            if process.poll() is not None:
                lost.append("the program has ended")
            return lost
        finally:
            process.kill()
            process.communicate()

    def run(self, count: int) -> None:
        kinds = [self.forks, self.forks_and_drops, self.spawns, self.runs, self.executes]
        threads = [threading.Thread(target=self._call) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(count):
            kind = kinds[i % len(kinds)]
            tell([f"{kind.__name__}: {what}" for what in kind()], tried=1)
        self.stop.set()
        for thread in threads:
            thread.join()
        if bytes(self.lease) != bytes(100_000):
            self.lost.append("what a lease shows has changed")
        self.lease.release()
        self.loan.release()
        self.lost += slots_lost(self.client)
        if not within(lambda: idle(self.observer)):
            self.lost.append("the server has calls in flight")
        self.client.close()
        self.observer.close()
        tell(self.lost)


def client() -> None:
    """Connect, have calls in flight, and become a shell."""
    connected = nanorpc.connect("torture")
    connected.add(1)
    _futures = [connected.wait.future() for _ in range(3)]
    _loan, _lease = connected.loan("same", 100_000), connected.call_lease("same", bytes(100_000))
    print("ready", flush=True)
    sys.stdin.readline()
    os.execv("/bin/sh", ["sh", "-c", f"{LIST}; echo listed; exec sleep 60"])


def main(count: int) -> None:
    with services(), running("server.py") as server:
        Trials(server.pid).run(count)


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client()
    else:
        main(int(sys.argv[1]))
