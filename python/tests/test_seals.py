"""Memory that a peer makes shorter while the other end reads it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nanorpc

SERVER = """
import sys, threading, time, nanorpc
service = nanorpc.Service("sealed")

@service.method(raw=True)
def look(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
    "Read the request where it lies, over and over, until the client has done what it wants."
    view = request.view
    end = time.monotonic() + 60
    while view[-1] == 0 and time.monotonic() < end:
        sum(view[::4096])
    reply.view(1)[0] = 7

@service.method
def add(a: int, b: int) -> int:
    return a + b

server = nanorpc.Server(service, seals=sys.argv[1] == "sealed")
server.start()
print("ready", flush=True)
threading.Event().wait()
"""

CLIENT = """
import ctypes, os, sys, threading, time, nanorpc
client = nanorpc.connect("sealed")
with client.loan("look", 1 << 20) as loan:
    loan.view[:] = bytes(1 << 20)
    view = loan.view
    lease = []
    thread = threading.Thread(target=lambda: lease.append(loan.send()), daemon=True)
    thread.start()
time.sleep(0.2)  # the server reads by now, or will
for name in os.listdir("/proc/self/fd"):
    try:
        link = os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        continue
    if "/memfd:nanorpc" in link or "/dev/shm/" in link:
        try:
            os.ftruncate(int(name), 4096)
        except PermissionError:
            print("refused", flush=True)
            break
        print("done", flush=True)
        time.sleep(60)
view[-1] = 1  # the server is to end its reading
thread.join(60)
print(bytes(lease[0]), flush=True)
client.close()
"""

Start = Callable[..., "subprocess.Popen[str]"]


def test_a_client_cannot_take_the_memory_away(start: Start) -> None:
    server = start(sys.executable, "-c", SERVER, "sealed")
    with nanorpc.connect("sealed") as bystander:
        hostile = subprocess.run([sys.executable, "-c", CLIENT], capture_output=True, text=True, timeout=100)
        assert (hostile.stdout.splitlines(), hostile.stderr) == (["refused", repr(bytes([7]))], "")
        assert bystander.add(1, 2) == 3
    assert server.poll() is None


def test_without_seals_it_can(start: Start) -> None:
    server = start(sys.executable, "-c", SERVER, "plain")
    with subprocess.Popen([sys.executable, "-c", CLIENT], stdout=subprocess.PIPE, text=True) as hostile:
        try:
            assert hostile.stdout is not None
            assert hostile.stdout.readline() == "done\n"
            assert server.wait(60) != 0
        finally:
            hostile.kill()


def test_a_client_asks_for_seals(start: Start) -> None:
    start(sys.executable, "-c", SERVER, "plain")
    with nanorpc.connect("sealed", seals=True) as client:
        assert client.add(1, 2) == 3
        maps = Path("/proc/self/maps").read_text()
        assert "/memfd:nanorpc" in maps


@pytest.mark.parametrize("seals", [True, False])
def test_large_payloads_with_and_without(serve: Callable[..., nanorpc.Client], seals: bool) -> None:
    service = nanorpc.Service("large")

    @service.method(raw=True)
    def same(request: bytes) -> bytes:
        return request

    client = serve(service, seals=seals, arena=256 << 20, max_payload=128 << 20)
    request = bytes(range(256)) * (100 << 12)
    assert client.call("same", request) == request
