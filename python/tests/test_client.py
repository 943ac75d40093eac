from __future__ import annotations

import array
import hashlib
import os
import struct
import subprocess
import threading
from pathlib import Path

import pytest

import nanorpc


@pytest.mark.parametrize("size", [0, 1, 223, 224, 225, 4096, 1 << 20, 8 << 20])
def test_payloads_of_any_size_arrive(demo: subprocess.Popen[str], size: int) -> None:
    payload = os.urandom(size)
    with nanorpc.connect("demo") as client:
        assert client.call("echo", payload) == payload
        assert client.call("sha256", payload).decode() == hashlib.sha256(payload).hexdigest()


def test_any_buffer_is_a_payload(demo: subprocess.Popen[str]) -> None:
    numbers = array.array("d", [1.5, 2.25, -4])
    with nanorpc.connect("demo") as client:
        assert struct.unpack("<d", client.call("sum", numbers)) == (-0.25,)
        for payload in (bytearray(b"abc"), memoryview(b"abc"), array.array("B", b"abc")):
            assert client.call("echo", payload) == b"abc"
        assert client.call("echo", array.array("d")) == b""
        with pytest.raises(TypeError):
            client.call("echo", memoryview(b"abcdef")[::2])
        with pytest.raises(TypeError):
            client.call("echo", "text")  # type: ignore[arg-type]
        assert client.call("echo", b"still there") == b"still there"


def test_threads_share_a_client(demo: subprocess.Popen[str]) -> None:
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            for i in range(150):
                payload = os.urandom((seed * 7919 + i * 104729) % 300_000 if i % 3 else i)
                if client.call("sha256", payload, timeout=60).decode() != hashlib.sha256(payload).hexdigest():
                    wrong.append((seed, i))
        except nanorpc.NanoRPCError as error:
            wrong.append(error)

    with nanorpc.connect("demo") as client:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_closing_ends_calls_of_other_threads(demo: subprocess.Popen[str]) -> None:
    client = nanorpc.connect("demo")
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(nanorpc.ClientClosed):
            client.call("sleep", b"60000")
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    client.call("echo", b"")
    client.close()
    client.close()
    assert ended.wait(30)
    thread.join()
    with pytest.raises(nanorpc.ClientClosed):
        client.call("echo", b"x")


def test_a_client_that_is_not_closed_warns(demo: subprocess.Popen[str]) -> None:
    client = nanorpc.connect("demo")
    with pytest.warns(ResourceWarning, match="not closed"):
        del client


def test_connections_leave_no_mappings_and_descriptors(demo: subprocess.Popen[str]) -> None:
    def connect() -> None:
        with nanorpc.connect("demo") as client:
            client.call("echo", bytes(1000))

    def segments() -> int:
        return sum("memfd:nanorpc" in line or "/dev/shm" in line for line in Path("/proc/self/maps").read_text().splitlines())

    for _ in range(5):
        connect()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        connect()
    assert segments() == 0
    assert len(os.listdir("/proc/self/fd")) < descriptors + 10


def test_services_are_listed_and_described(demo: subprocess.Popen[str], python_server: subprocess.Popen[str]) -> None:
    assert nanorpc.services() == ["demo", "python"]
    info = nanorpc.describe("demo")
    assert info.pid == demo.pid
    assert {"echo", "sum", "sha256", "sleep"} <= set(info.methods)
    assert {"reverse", "fail"} <= set(nanorpc.describe("python").methods)


def test_directories_are_paths(demo: subprocess.Popen[str], directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NANORPC_DIR")
    assert nanorpc.services(directory) == ["demo"]
    with nanorpc.connect("demo", directory=directory) as client, nanorpc.Server(nanorpc.Service("other"), directory=directory):
        assert client.call("echo", b"x") == b"x"
        assert nanorpc.describe("other", directory=directory).methods == []
