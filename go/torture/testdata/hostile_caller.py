"""Calls a hostile server in all ways until the standard input ends, and then one that keeps to the protocol: what the role "trapped" of the tests is.

Whatever comes of the calls, each must end with a reply or an exception of the package's. Prints how many there were.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import itertools
import os
import sys
import threading
import time
from contextlib import suppress

import nanorpc
import nanorpc.aio

SERVICE = "torture"
TIMEOUT = 0.02
PATIENCE = 30
LENGTHS = (0, 16, 224, 225, 5000, 100_000)
ENDED = (nanorpc.ServerGone, nanorpc.Incompatible)

stopped = threading.Event()
calls = itertools.count()


def made() -> None:
    """Count what has ended. If nothing does for long, say what hangs, and exit."""
    next(calls)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)


def call(client: nanorpc.Client, i: int) -> None:
    """Make the i-th call, or some."""
    request = bytes(LENGTHS[i % len(LENGTHS)])
    match i % 6:
        case 0 | 1:
            client.call("echo", request, timeout=TIMEOUT)
        case 2:
            with client.loan("echo", len(request), timeout=TIMEOUT) as loan:
                loan.view[:] = request
                sum(loan.send().view)
        case 3:
            with client.call_lease("echo", request, timeout=TIMEOUT) as lease:
                sum(lease.view)
        case 4:
            batch = client.batch(timeout=TIMEOUT)
            entries = [batch.call("echo", request) for _ in range(20)]
            batch.run()
            for entry in entries:
                entry.exception()
        case 5:
            futures = [client.future("echo", request, timeout=TIMEOUT) for _ in range(8)]
            for future in futures:
                future.exception()
            client.describe(timeout=TIMEOUT)


def call_in_threads() -> None:
    """Connect, and call until the server has ended that, or for some time."""
    with nanorpc.connect(SERVICE, directory=os.environ["NANORPC_TEST_DIRECTORY"]) as client:
        for i in range(60):
            try:
                call(client, i)
            except ENDED:
                return
            except nanorpc.NanoRPCError:
                pass
            made()


async def call_in_a_loop() -> None:
    """Do the same on an event loop."""
    async with nanorpc.aio.connect(SERVICE, directory=os.environ["NANORPC_TEST_DIRECTORY"]) as client:
        for i in range(60):
            request = bytes(LENGTHS[i % len(LENGTHS)])
            try:
                if i % 3 < 2:
                    many = await asyncio.gather(*(client.call("echo", request, timeout=TIMEOUT) for _ in range(8)), return_exceptions=True)
                    for result in many:
                        if isinstance(result, BaseException):
                            raise result
                else:
                    loan = await client.loan("echo", len(request), timeout=TIMEOUT)
                    with await loan.send() as lease:
                        sum(lease.view)
            except ENDED:
                return
            except nanorpc.NanoRPCError:
                pass
            made()


def segments() -> int:
    """Return how many segments are mapped."""
    gc.collect()
    with open("/proc/self/maps") as maps:
        return maps.read().count("/dev/shm/")


def main() -> None:
    """Do all of it."""
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    made()
    print("ready", flush=True)
    while not stopped.is_set():
        with suppress(nanorpc.NanoRPCError):
            call_in_threads()
        with suppress(nanorpc.NanoRPCError):
            asyncio.run(call_in_a_loop())
        made()
    while segments():  # nothing is left of all these connections
        time.sleep(0.01)
    with nanorpc.connect(SERVICE, directory=os.environ["NANORPC_TEST_HONEST"]) as client:
        for length in LENGTHS:
            request = os.urandom(length)
            assert client.call("echo", request) == request
    print(next(calls))


main()
