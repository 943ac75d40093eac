"""Processes that are forked after the core has been loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import asyncio, gc, logging, os, signal, sys, threading, time
logging.getLogger("asyncio").setLevel(logging.ERROR)  # in debug mode it tells of what is slow
import numpy as np
import nanorpc
from nanorpc import aio

service = nanorpc.Service("forks")

@service.method
def add(a: int, b: int = 1) -> int:
    return a + b

@service.method
def array(length: int) -> np.ndarray:
    return np.full(length, 7, np.uint8)

@service.method
async def later() -> int:
    return 1

@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request

def in_child(function):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            function()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""

SYNC = (
    BEGIN
    + """
def refused(name, use):
    try:
        use()
    except nanorpc.ForkError as error:
        assert "spawn" in str(error) and "forkserver" in str(error), name
    else:
        raise AssertionError(name)

server = nanorpc.Server(service)
server.start()
other = nanorpc.Server(nanorpc.Service("other"))
client, fresh = nanorpc.connect("forks"), nanorpc.connect("forks")
assert client.add(2) == 3
assert client.later() == 1
future = client.add.future(1)
assert future.result() == 2
batch = client.batch()
entry = batch.add(1)
loan = client.loan("same", 1000)
lease = client.call_lease("same", bytes(1000))
array = client.array(100_000)
add = client.add

def child():
    for one in (client, fresh):
        refused("call", lambda: one.call("same"))
        refused("call large", lambda: one.call("same", bytes(1000)))
        refused("typed", lambda: one.add(1))
        refused("typed mixed", lambda: one.add(1, b=2))
        refused("retries", lambda: one.add.options(retries=3)(1))
        refused("future", lambda: one.future("same"))
        refused("typed future", lambda: one.add.future(1))
        refused("batch", lambda: run(one.batch()))
        refused("loan", lambda: one.loan("same", 10))
        refused("large loan", lambda: one.loan("same", 1000))
        refused("typed loan", lambda: one.add.loan(10))
        refused("call_lease", lambda: one.call_lease("same"))
        refused("describe", lambda: one.describe())
        refused("methods", lambda: one.methods())
        refused("stats", lambda: one.stats())
        dir(one), repr(one)
    refused("bound", lambda: add(1))
    refused("batch of the parent", batch.run)
    refused("loan of the parent", loan.send)
    refused("connect", lambda: nanorpc.connect("forks"))
    refused("services", lambda: nanorpc.services())
    refused("describe", lambda: nanorpc.describe("forks"))
    refused("start", lambda: nanorpc.Server(service).start())
    refused("start of the parent's", lambda: server.start())
    refused("start of the parent's other", lambda: other.start())
    refused("serve", lambda: nanorpc.serve(service))
    refused("aio", lambda: asyncio.run(connected()))

async def connected():
    async with aio.connect("forks"):
        pass

def run(batch):
    batch.add(1)
    batch.run()

in_child(child)

def end():
    global client, fresh, server, other, loan, lease, array, future, batch, entry, add
    assert bytes(lease) == bytes(1000)
    assert (array == 7).all()
    future.cancel()
    lease.release()
    client.close()
    server.shutdown()
    other.shutdown()
    del client, fresh, server, other, loan, lease, array, future, batch, entry, add
    gc.collect()

in_child(end)

def collected():
    global client, fresh, server, loan, lease, array
    del client, fresh, server, loan, lease, array
    gc.collect()
    time.sleep(0.1)

in_child(collected)

# All of it is the parent's as before.
batch.run()
assert entry.result() == 2
loan.view[:] = b"x" * 1000
assert bytes(loan.send()) == b"x" * 1000
assert client.add(1) == fresh.add(1) == client.add.future(1).result(60) == 2
assert client.later() == 1
assert bytes(lease) == bytes(1000)
assert (array == 7).all()
held = [fresh.loan("same", 0) for _ in range(256)]
print("all right")
"""
)

LEAVES = (
    BEGIN
    + """
# The child ends as processes of multiprocessing do not: with everything that Python does at its end.
server = nanorpc.Server(service)
server.start()
client = nanorpc.connect("forks")
waiting = client.add.future(1)
lease, array = client.call_lease("same", bytes(1000)), client.array(100_000)
assert client.later() == 1
sys.stdout.flush()
child = os.fork()
if child == 0:
    signal.alarm(60)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert client.add(1) == 2
assert bytes(lease) == bytes(1000)
lease.release()
del array
client.close()
server.shutdown()
print("all right")
"""
)

LOOP = (
    BEGIN
    + """
async def main():
    async with aio.connect("forks") as client:
        assert await client.add(1) == 2
        loan = await client.loan("same", 100)

        def child():
            async def again():
                for use in (client.add(1), client.call("same"), client.loan("same", 10), loan.send(), aio.connect("forks").__aenter__()):
                    try:
                        await use
                    except nanorpc.ForkError:
                        pass
                    else:
                        raise AssertionError

            thread = threading.Thread(target=lambda: asyncio.run(again()))  # this thread has a loop that runs
            thread.start()
            thread.join()
            client.close()

        in_child(child)
        assert await asyncio.gather(*(client.add(i) for i in range(1000))) == list(range(1, 1001))
        assert await asyncio.wait_for(client.later(), 60) == 1

with nanorpc.Server(service):
    asyncio.run(main())
print("all right")
"""
)


@pytest.mark.parametrize("program", [SYNC, LEAVES, LOOP], ids=["sync", "leaves", "loop"])
def test_after_a_fork(directory: Path, program: str) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore::ResourceWarning", "-c", program], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout.splitlines()[-1:], done.stderr) == (0, ["all right"], ""), done.stderr[-3000:]
