"""Programs that end with everything open: quietly, with their own status, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 10

BEGIN = """
import asyncio, logging, os, signal, sys, threading, time
logging.getLogger("asyncio").setLevel(logging.ERROR)  # in debug mode it tells of what is slow
import numpy as np
import nanorpc
from nanorpc import aio

service = nanorpc.Service("exits")
begun = threading.Event()

@service.method
def add(a: int, b: int = 1) -> int:
    return a + b

@service.method
def array(length: int) -> np.ndarray:
    return np.full(length, 7, np.uint8)

@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request

@service.method
def busy() -> int:
    begun.set()
    total = 0
    while True:
        total += 1

@service.method
def asleep() -> int:
    begun.set()
    time.sleep(1000)
    return 1

@service.method
async def later() -> int:
    begun.set()
    await asyncio.sleep(1000)
    return 1

@service.method(raw=True)
def kept(request, reply):
    reply.array(len(request), np.uint8)[:] = 1
    keep.append((request.array(np.uint8), request, reply))

keep = []
server = nanorpc.Server(service, workers=3)
server.start()
client = nanorpc.connect("exits")
assert client.add(1) == 2
"""

ENDS = {
    "idle": "sys.exit(3)",
    "closed": "client.close(); server.shutdown(); sys.exit(3)",
    "busy": "client.busy.future(); begun.wait(); sys.exit(3)",
    "asleep": "client.asleep.future(); begun.wait(); sys.exit(3)",
    "async": "futures = [client.later.future() for _ in range(50)]; begun.wait(); sys.exit(3)",
    "leases": """
leases = [client.call_lease("same", bytes(size)) for size in (0, 10, 1000, 1 << 20)]
arrays = [client.array(1 << 20), client.array(10), leases[2].array(np.uint8), memoryview(leases[3].array(np.uint8))[3:]]
loans = [client.loan("same", size) for size in (0, 10, 1 << 20)]
views = [loan.view for loan in loans]
sys.exit(3)
""",
    "futures": """
futures = [client.add.future(i) for i in range(200)]
waiting = client.asleep.future()
waiting.add_done_callback(print)
sys.exit(3)
""",
    "batch": """
batch = client.batch()
entries = [batch.add(1) for _ in range(1000)]
batch.run()
more = client.batch()
more.asleep()
threading.Thread(target=more.run, daemon=True).start()
begun.wait()
sys.exit(3)
""",
    "threads": """
def work():
    while True:
        client.add(1)
        client.add.future(1).result()
        client.array(100_000)
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
sys.exit(3)
""",
    "exception": """
import logging
logging.disable()  # of the warning about what is kept
client.kept.loan(100_000).send()
waiting = client.asleep.future()
class Cycle: pass
cycle = Cycle()
cycle.own, cycle.array, cycle.client = cycle, client.array(1 << 20), nanorpc.connect("exits")
raise SystemExit(3)
""",
    "loop": """
async def main():
    other = await aio.connect("exits")
    tasks = [asyncio.create_task(other.later()) for _ in range(100)]
    await asyncio.gather(*(other.add(i) for i in range(100)))
    loan = await other.loan("same", 1000)
    keep.extend([other, tasks, loan, await other.array(1 << 20)])
asyncio.run(main())
sys.exit(3)
""",
    "loop in a thread": """
async def main():
    other = await aio.connect("exits")
    begun.set()
    while True:
        await other.add(1)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
begun.wait()
sys.exit(3)
""",
    "atexit": """
import atexit
atexit.register(lambda: keep.append(client.add(1)))
atexit.register(lambda: keep.append(client.add.future(1).result()))
sys.exit(3)
""",
}


def left() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("nanorpc*")}


@pytest.mark.parametrize("end", ENDS)
def test_programs_end_quietly(directory: Path, end: str) -> None:
    before = left()
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-W", "ignore::ResourceWarning", "-X", "faulthandler", "-c", BEGIN + ENDS[end]],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (3, "", ""), done.stderr[-3000:]
    assert left() <= before
    assert not list(directory.glob("*.sock")) or end != "closed"
