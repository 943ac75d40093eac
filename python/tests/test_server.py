from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

import nanorpc

ROOT = Path(__file__).resolve().parents[2]


def test_python_and_go_clients_call_it(python_server: subprocess.Popen[str]) -> None:
    with nanorpc.connect("python") as client:
        for size in (0, 10, 224, 225, 100_000, 4 << 20):
            payload = os.urandom(size)
            assert client.call("reverse", payload) == payload[::-1]
        assert client.call("nothing", b"x") == b""
    result = subprocess.run(
        [str(ROOT / "client"), "-service", "python", "-data", "abc", "reverse"], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "cba"


def test_exceptions_reach_the_caller(python_server: subprocess.Popen[str]) -> None:
    with nanorpc.connect("python") as client:
        with pytest.raises(nanorpc.RemoteError, match="KeyError: 'no such thing'"):
            client.call("fail")
        with pytest.raises(nanorpc.RemoteError, match="TypeError"):
            client.call("wrong")
        with pytest.raises(nanorpc.PayloadTooLarge):
            client.call("large", str(client.max_payload + 1).encode())
        assert client.call("reverse", b"ab") == b"ba"


def test_a_slow_method_does_not_hold_up_others(python_server: subprocess.Popen[str]) -> None:
    with nanorpc.connect("python") as client:
        replies: list[bytes] = []
        slow = threading.Thread(target=lambda: replies.append(client.call("sleep", b"2")))
        slow.start()
        client.call("reverse", b"ab", timeout=60)
        assert slow.is_alive()
        slow.join(60)
        assert replies == [b"slept"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_its_calls(python_server: subprocess.Popen[str], directory: Path, number: signal.Signals) -> None:
    with nanorpc.connect("python") as client:
        replies: list[bytes] = []
        slow = threading.Thread(target=lambda: replies.append(client.call("sleep", b"1")))
        slow.start()
        client.call("reverse", b"ab")
        python_server.send_signal(number)
        slow.join(60)
        assert replies == [b"slept"]
    assert python_server.wait(60) == 0
    assert nanorpc.services() == []
    assert not list(directory.glob("*.sock"))


def test_a_name_is_served_once(python_server: subprocess.Popen[str]) -> None:
    with pytest.raises(nanorpc.ServiceInUse, match=str(python_server.pid)):
        nanorpc.Server(nanorpc.Service("python")).start()


def test_methods_are_registered_once_and_before_it_runs(directory: Path) -> None:
    service = nanorpc.Service("twice")

    @service.method(name="echo", raw=True)
    def first(request: bytes) -> bytes:
        return request

    with pytest.raises(nanorpc.InvalidName, match="echo"):
        service.method(name="echo", raw=True)(first)
    with nanorpc.Server(service):
        with pytest.raises(nanorpc.NanoRPCError, match="before"):
            service.method(name="late", raw=True)(first)
        with nanorpc.connect("twice") as client:
            assert client.call("echo", b"x") == b"x"
    with pytest.raises(nanorpc.ServerNotFound):
        nanorpc.connect("twice")
