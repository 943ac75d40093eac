from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import nanorpc


def test_nobody_serves(directory: Path) -> None:
    with pytest.raises(nanorpc.ServerNotFound, match="nobody"):
        nanorpc.connect("nobody")
    assert issubclass(nanorpc.ServerNotFound, ConnectionError)


def test_names_that_cannot_be(directory: Path) -> None:
    with pytest.raises(nanorpc.InvalidName):
        nanorpc.connect("../demo")
    with pytest.raises(nanorpc.InvalidName):
        nanorpc.Server(nanorpc.Service("a b")).start()
    with pytest.raises(nanorpc.InvalidOption):
        nanorpc.connect("demo", spin="maybe")


def test_others_can_write_to_the_directory(demo: subprocess.Popen[str], directory: Path) -> None:
    directory.chmod(0o777)
    with pytest.raises(nanorpc.NotAllowed, match="chmod go-w"):
        nanorpc.connect("demo")


def test_unknown_method(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        with pytest.raises(nanorpc.UnknownMethod, match="nothing"):
            client.call("nothing")
        assert client.call("echo", b"x") == b"x"


def test_payload_too_large(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        with pytest.raises(nanorpc.PayloadTooLarge, match=str(client.max_payload)):
            client.call("echo", bytes(client.max_payload + 1))
        assert client.call("echo", b"x") == b"x"


def test_remote_error_has_the_text(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client, pytest.raises(nanorpc.RemoteError, match="8"):
        client.call("sum", b"123")


def test_deadline_and_the_late_reply(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        with pytest.raises(nanorpc.DeadlineExceeded):
            client.call("sleep", b"300", timeout=0.02)
        end = time.monotonic() + 0.6  # past the late reply
        while time.monotonic() < end:
            payload = os.urandom(40)
            assert client.call("echo", payload, timeout=30) == payload


def test_killed_server(demo: subprocess.Popen[str]) -> None:
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            client.call("sleep", b"60000")
        except nanorpc.NanoRPCError as error:
            outcome.append(error)

    with nanorpc.connect("demo") as client:
        thread = threading.Thread(target=wait)
        thread.start()
        client.call("echo", b"")
        demo.kill()
        thread.join(30)
        assert [type(error) for error in outcome] == [nanorpc.ServerGone]
        with pytest.raises(nanorpc.ServerGone):
            client.call("echo", b"")
    demo.wait(30)  # until then it may still listen: the kernel closes one descriptor after the other
    with pytest.raises(nanorpc.ServerNotFound):
        nanorpc.connect("demo")


FORK = """
import os, sys, nanorpc
client = nanorpc.connect("demo")
child = os.fork()
if child == 0:
    for use in (lambda: client.call("echo", b"x"), lambda: nanorpc.connect("demo")):
        try:
            use()
        except nanorpc.ForkError as error:
            assert "spawn" in str(error)
        else:
            os._exit(1)
    client.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert client.call("echo", b"parent") == b"parent"
client.close()
"""

FORK_FIRST = """
import os, nanorpc
child = os.fork()
with nanorpc.connect("demo") as client:
    assert client.call("echo", b"x") == b"x"
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("program", [FORK, FORK_FIRST], ids=["loaded", "first"])
def test_fork(demo: subprocess.Popen[str], program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
