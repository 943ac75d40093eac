"""Ctrl-C while the main thread waits for something: it ends that at once, and no slot is lost."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BEGIN = """
import asyncio, os, signal, sys, threading, time
import nanorpc
from nanorpc import aio

service = nanorpc.Service("local")
release = threading.Event()

@service.method
def wait() -> int:
    release.wait(100)
    return 1

@service.method(raw=True)
def wait_raw(request: bytes) -> bytes:
    release.wait(100)
    return request

@service.method
def add(a: int, b: int) -> int:
    return a + b

@service.method(raw=True)
def same(request: bytes) -> bytes:
    return request

server = nanorpc.Server(service, workers=3, arena=8 << 20, max_payload=4 << 20)
server.start()
client = nanorpc.connect("local")
assert client.add(1, 2) == 3
MAX = 4 << 20

def blocked():
    "Tell that the wait begins: soon after, the signal comes."
    print("blocked", flush=True)

def all_taken():
    return [client.loan("same", 0) for _ in range(256)]

def no_room():
    held = []
    try:
        while True:
            held.append(client.loan("same", MAX, timeout=0.05))
    except nanorpc.DeadlineExceeded:
        return held
held = ()
"""

END = """
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
else:
    raise SystemExit("it has returned")
release.set()
del held
# 256 calls at once, and more that wait for them.
loans = [client.loan("same", 0, timeout=60) for _ in range(256)]
for loan in loans:
    loan.release()
futures = [client.add.future(i, i, ) for i in range(300)]
assert [future.result(60) for future in futures] == [2 * i for i in range(300)]
client.close()
server.shutdown()
print("all right", flush=True)
"""

WAITS = {
    "connect": """
try:
    blocked()
    nanorpc.connect("mute", timeout=100)
""",
    "call": """
try:
    blocked()
    client.call("wait")
""",
    "typed call": """
try:
    blocked()
    client.wait()
""",
    "call with a timeout": """
try:
    blocked()
    client.wait.options(timeout=100, retries=3)()
""",
    "large call": """
try:
    blocked()
    client.call("wait_raw", bytes(1 << 20))
""",
    "call_lease": """
try:
    blocked()
    client.call_lease("wait")
""",
    "send": """
loan = client.loan("wait_raw", 1000)
try:
    blocked()
    loan.send()
""",
    "batch": """
batch = client.batch()
for i in range(600):
    batch.add(i, i) if i % 50 else batch.wait()
try:
    blocked()
    batch.run()
""",
    "future": """
future = client.wait.future()
try:
    blocked()
    future.result()
""",
    "room for a loan": """
held = no_room()
try:
    blocked()
    client.loan("same", MAX)
""",
    "room for a call": """
held = no_room()
try:
    blocked()
    client.call("same", bytes(MAX))
""",
    "room for a batch": """
held = no_room()
batch = client.batch()
batch.call("same", bytes(MAX))
try:
    blocked()
    batch.run()
""",
    "a slot for a call": """
held = all_taken()
try:
    blocked()
    client.call("same")
""",
    "a slot for a loan": """
held = all_taken()
try:
    blocked()
    client.loan("same", 10)
""",
    "a slot for a future": """
held = all_taken()
try:
    blocked()
    client.future("same")
""",
    "a slot for a batch": """
held = all_taken()
batch = client.batch()
batch.add(1, 2)
try:
    blocked()
    batch.run()
""",
    "describe": """
mute = nanorpc.connect("demo")
os.kill(int(sys.argv[1]), signal.SIGSTOP)
tasks = f"/proc/{sys.argv[1]}/task"
while any(") T " not in open(f"{tasks}/{task}/stat").read() for task in os.listdir(tasks)):
    time.sleep(0.01)
try:
    blocked()
    mute.describe(timeout=None)
""",
    "asyncio.run": """
async def main():
    async with aio.connect("local") as other:
        blocked()
        await asyncio.gather(*(other.wait() for _ in range(400)))
try:
    asyncio.run(main())
""",
    "asyncio.run connecting": """
async def main():
    blocked()
    async with aio.connect("mute", timeout=100):
        pass
try:
    asyncio.run(main())
""",
}

SERVE = """
import time, nanorpc
service = nanorpc.Service("local")
print("blocked", flush=True)
nanorpc.serve(service)
print("interrupted", time.time(), flush=True)
print("all right", flush=True)
"""


@pytest.fixture
def mute(directory: Path) -> Iterator[None]:
    """A server that accepts, and says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(directory / "mute.sock"))
        (directory / "mute.sock").chmod(0o600)
        listener.listen()
        yield


@pytest.mark.parametrize("what", [*WAITS, "serve"])
def test_ctrl_c(mute: None, demo: subprocess.Popen[str], what: str) -> None:
    program = SERVE if what == "serve" else BEGIN + WAITS[what] + END
    with subprocess.Popen([sys.executable, "-c", program, str(demo.pid)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "blocked\n"
            time.sleep(0.5)  # until it waits; before, the interrupt does nothing else
            sent = time.time()
            process.send_signal(signal.SIGINT)
            said, at = process.stdout.readline().split()
            assert said == "interrupted"
            took = float(at) - sent
            print(f"\n{what}: interrupted after {1000 * took:.0f} ms")
            assert took < 5
            assert process.stdout.readline() == "all right\n"
            assert process.wait(60) == 0
        finally:
            process.kill()
