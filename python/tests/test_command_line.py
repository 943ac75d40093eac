from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def nanorpc(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "nanorpc", *arguments], input=stdin, capture_output=True, timeout=200)


def test_call(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    assert nanorpc("call", "demo", "echo", "--data", "hello").stdout == b"hello"
    assert nanorpc("call", "demo", "echo", "-", stdin=b"\x00\xff").stdout == b"\x00\xff"
    (tmp_path / "file").write_bytes(b"content")
    assert nanorpc("call", "demo", "echo", str(tmp_path / "file")).stdout == b"content"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["call", "nobody", "echo", "--data", "x"], 1, "Running services: demo"),
        (["call", "demo", "nothing", "--data", "x"], 1, "no method 'nothing'"),
        (["call", "demo", "echo"], 2, "--data"),
        (["call", "demo", "echo", "/no/such/file"], 1, "No such file"),
        (["call", "demo", "sleep", "--data", "60000", "--timeout", "0.05"], 1, "in time"),
        (["bench", "--size", "big"], 2, "is no size"),
        (["call", "demo", "sleep", "--data", "1", "--timeout", "0"], 2, "more than 0"),
        (["call", "demo", "ech", "--data", "x"], 1, "Did you mean echo?"),
        (["call", "demo", "echo", "--data", "x", "--file", "LICENSE"], 2, "one of the three"),
        (["call", "demo", "echo", "--data", "x", "--nothing"], 2, "unrecognized arguments: --nothing"),
        (["describe", "nobody"], 1, "Running services: demo"),
        (["stat", "nobody"], 1, "Running services: demo"),
        (["stat", "--interval", "1"], 2, "--watch"),
        (["stat", "--watch", "--interval", "0"], 2, "more than 0"),
        ([], 2, "COMMAND"),
    ],
)
def test_mistakes(demo: subprocess.Popen[str], arguments: list[str], status: int, text: str) -> None:
    result = nanorpc(*arguments)
    assert (result.returncode, result.stdout) == (status, b"")
    assert text in result.stderr.decode()
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["ls", "list"])
def test_ls(demo: subprocess.Popen[str], command: str) -> None:
    lines = nanorpc(command).stdout.decode().splitlines()
    assert lines == [f"demo, process {demo.pid}", "  echo", "  sha256", "  sleep", "  sum"]
    (described,) = map(json.loads, nanorpc(command, "--json").stdout.splitlines())
    assert (described["service"], described["pid"], described["protocol"]) == ("demo", demo.pid, 1)


def test_ls_of_nothing(directory: Path) -> None:
    for arguments in (["ls"], ["ls", "--json"], ["stat"], ["stat", "--json"]):
        result = nanorpc(*arguments)
        assert (result.returncode, result.stdout) == (0, b"")


def test_describe(demo: subprocess.Popen[str]) -> None:
    text = nanorpc("describe", "demo").stdout.decode()
    assert {"echo", "sha256", "sleep", "sum", str(demo.pid)} <= set(text.split())
    assert max(map(len, text.splitlines())) <= 80
    described = json.loads(nanorpc("describe", "demo", "--json").stdout)
    assert described["methods"] == ["echo", "sha256", "sleep", "sum"]


def test_console_script(demo: subprocess.Popen[str]) -> None:
    script = Path(sys.executable).parent / "nanorpc"
    result = subprocess.run([script, "ls"], capture_output=True, text=True, timeout=100)
    assert "demo" in result.stdout


def test_gui_without_a_display(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    result = nanorpc("gui", "--screen", "call")
    assert result.returncode == 1
    assert b"there is no display" in result.stderr


def test_bench(directory: Path) -> None:
    result = nanorpc("bench", "--size", "64,1k", "--duration", "0.05", "--rounds", "2", "--json")
    cases = [json.loads(line) for line in result.stdout.splitlines()]
    assert {(case["transport"], case["size_bytes"]) for case in cases} == {(t, s) for t in ("limit", "nanorpc", "uds") for s in (64, 1024)}
    assert all(case["calls"] > 0 and case["errors"] == 0 and case["p50_ns"] > 0 for case in cases)


def test_plot(tmp_path: Path) -> None:
    results, picture = tmp_path / "results.jsonl", tmp_path / "plot.png"
    cases = [{"transport": t, "size_bytes": s, "p50_ns": 100 + s, "calls_per_s": 1e6} for t in ("nanorpc", "uds") for s in (64, 4096)]
    results.write_text("".join(json.dumps(case) + "\n" for case in cases))
    command = [sys.executable, "-m", "nanorpc.plot", str(results), str(picture)]
    subprocess.run(command, check=True, timeout=100)
    assert picture.read_bytes().startswith(b"\x89PNG")
    results.write_text('{"other": 1}\n')
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 1
    assert "holds no results" in result.stderr
