"""The client in C of docs/examples, which was written from docs/protocol.md: it and the server agree on every byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("demo")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "building NanoRPC takes a C compiler, and so does this"
    program = tmp_path_factory.mktemp("c") / "c-client"
    source = ROOT / "docs" / "examples" / "client.c"
    subprocess.run([compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
    return program


def call(program: Path, *arguments: str, payload: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program, *arguments], input=payload, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("size", [0, 1, 224, 225, 4096, 1_000_000])
def test_echo(c_client: Path, size: int) -> None:
    payload = os.urandom(size)
    result = call(c_client, "demo", "echo", "100", payload=payload)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == payload


def test_sha256(c_client: Path) -> None:
    payload = os.urandom(3_000_000)
    assert call(c_client, "demo", "sha256", payload=payload).stdout.decode() == hashlib.sha256(payload).hexdigest()


def test_slow_method_and_parked_server(c_client: Path) -> None:
    """The client sleeps on its futex, and a new call rings a server that has given its thread back."""
    started = time.monotonic()
    result = call(c_client, "demo", "sleep", "3", payload=b"300")
    assert result.stdout == b"300"
    assert time.monotonic() - started >= 0.9


def test_failures(c_client: Path) -> None:
    for method, text in (("no-such", b"no such method"), ("sum", b"sum takes float64 numbers")):
        result = call(c_client, "demo", method, payload=b"odd")
        assert result.returncode == 1
        assert text in result.stderr
    assert b"c-client: nobody" in call(c_client, "nobody", "echo").stderr
    assert call(c_client, "demo").returncode == 2
