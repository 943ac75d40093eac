"""The commands ``call`` and ``serve``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nanorpc

HERE = Path(__file__).parent


def run(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "nanorpc", *arguments], input=stdin, capture_output=True, timeout=100, cwd=cwd)


def out(*arguments: str, stdin: bytes = b"") -> str:
    result = run(*arguments, stdin=stdin)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode().removesuffix("\n")


@pytest.fixture
def calc(start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    monkeypatch.chdir(HERE)
    return start(sys.executable, "-m", "nanorpc", "serve", "programs:calc", "--traceback", ready="serving calc")


def test_arguments_and_results(calc: subprocess.Popen[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x01\xff")
    for words, result in (
        (["add", "2", "3"], "5"),
        (["add", "-2"], "3"),
        (["add", "a=2", "b=3"], "5"),
        (["add", "2", "b=4"], "6"),
        (["add", "--named", '{"a": 2, "b": 3}'], "5"),
        (["add", "--timeout", "5", "2", "-3"], "-1"),
        (["hello", "world"], '"hello, world"'),
        (["hello", '"quoted"'], '"hello, quoted"'),
        (["hello", "42"], '"hello, 42"'),
        (["hello", '"a=b"'], '"hello, a=b"'),
        (["hello", "name=a=b"], '"hello, a=b"'),
        (["reverse", "abc"], '"cba"'),
        (["reverse", "12"], '"21"'),
        (["reverse", '"YWI="'], '"ba"'),
        (["reverse", f"@{tmp_path / 'file'}"], '"/wE="'),
        (["double", "[1, 2.5]"], '{"dtype": "float32", "shape": [2], "values": [2.0, 5.0]}'),
        (["double", json.dumps([[0] * 10] * 10)], '{"dtype": "float32", "shape": [10, 10], "first": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]}'),
        (["day", "2024-02-28", "2"], '{"day": "2024-03-01", "nothing": null, "odd": "nan", "key": {"3": 4}}'),
        (["rename", '{"name": "x", "content": "AP8="}', "name=y"], '{"name": "y", "content": "AP//"}'),
        (["pause", "0"], "null"),
        (["upper", "--data", "abc"], "ABC"),
        (["upper", "--file", str(HERE / "programs.py")], (HERE / "programs.py").read_text().upper().removesuffix("\n")),
    ):
        assert out("call", "calc", *words) == result
    assert out("call", "calc", "upper", "-", stdin=b"abc") == "ABC"
    assert out("call", "calc", "reverse", "@-", stdin=b"abc") == '"cba"'
    assert out("call", "calc", "add", "-", stdin=b"\x92\x02\x03") == "\x05"  # a request as it is sent


def test_results_for_programs(calc: subprocess.Popen[str]) -> None:
    for words, result in (
        (["add", "2", "3"], {"result": 5}),
        (["reverse", "abc"], {"result": "Y2Jh"}),
        (["double", json.dumps([[1] * 10] * 2)], {"result": [[2.0] * 10] * 2}),
        (["day", "2024-02-28"], {"result": {"day": "2024-02-28", "nothing": None, "odd": None, "key": {"3": 4}}}),
        (["upper", "--data", "abc"], {"result": "ABC", "encoding": "utf-8"}),
        (["upper", "--file", sys.executable], None),
    ):
        said = json.loads(out("call", "calc", *words, "--json"))
        assert said.pop("duration_ns") > 0
        assert (said.pop("service"), said.pop("method")) == ("calc", words[0])
        if result is None:
            assert said["encoding"] == "base64"
        else:
            assert said == result


@pytest.mark.parametrize(
    ("words", "status", "text", "kind"),
    [
        (["fail"], 1, "fail failed: KeyError: 'no such thing'\nTraceback", "RemoteError"),
        (["ad", "1"], 1, "no method 'ad'. Did you mean add? Methods: add, hello, ", "UnknownMethod"),
        (["add", "x"], 2, "argument 1 is to be of type int, and is no JSON: x", None),
        (["add", '"x"'], 1, "argument 'a': expected int, got str", "BadRequest"),
        (["add"], 1, "missing argument 'a'", "BadRequest"),
        (["add", "1", "a=2"], 1, "given twice", "BadRequest"),
        (["add", "a=1", "a=2"], 2, "given twice", None),
        (["add", "1", "2", "3"], 1, "takes 2 arguments", "BadRequest"),
        (["add", "c=1"], 2, "no argument 'c': add(a: int, b: int = 5) -> int", None),
        (["add", "--named", "[1]"], 2, "--named takes a JSON object", None),
        (["add", "--named", "{"], 2, "--named: ", None),
        (["add", "1" * 30], 2, "int", None),
        (["reverse", '"?"'], 2, "no base64", None),
        (["double", '["x"]'], 2, "argument 1: ", None),
        (["upper"], 2, "takes bytes", None),
        (["upper", "--named", "{}"], 2, "takes bytes", None),
        (["pause", "10", "--timeout", "0.05"], 1, "in time", "DeadlineExceeded"),
        (["die"], 1, "", "ServerGone"),
    ],
)
def test_errors(calc: subprocess.Popen[str], words: list[str], status: int, text: str, kind: str | None) -> None:
    result = run("call", "calc", *words)
    assert (result.returncode, result.stdout) == (status, b"")
    assert text in result.stderr.decode()
    if kind is not None and kind != "ServerGone":
        result = run("call", "calc", *words, "--json")
        assert (result.returncode, result.stderr) == (1, b"")
        said = json.loads(result.stdout)
        assert said["error"]["kind"] == kind
        assert (said["duration_ns"] is None) == (kind == "UnknownMethod")
        if kind == "RemoteError":
            assert (said["error"]["type"], said["error"]["message"]) == ("KeyError", "'no such thing'")
            assert "programs.py" in said["error"]["traceback"]


def test_descriptions(calc: subprocess.Popen[str]) -> None:
    lines = out("ls").splitlines()
    assert lines[:2] == [f"calc 1.2, process {calc.pid}: Arithmetic.", "  add(a: int, b: int = 5) -> int"]
    text = out("describe", "calc")
    assert "version   1.2\npurpose   Arithmetic.\n" in text
    assert "  add(a: int, b: int = 5) -> int\n      Add two numbers. (idempotent)\n" in text
    assert "  pause(seconds: float) -> None\n      (a coroutine)\n" in text
    said = json.loads(out("describe", "calc", "--json"))
    assert (said["version"], said["doc"], said["details"][0]["doc"]) == ("1.2", "Arithmetic.", "Add two numbers.")


def test_serving(calc: subprocess.Popen[str], directory: Path) -> None:
    result = run("serve", "programs:calc")
    assert (result.returncode, result.stdout) == (1, b"")
    assert f"calc is served by process {calc.pid}" in result.stderr.decode()
    calc.send_signal(signal.SIGTERM)
    assert calc.wait(20) == 0
    assert nanorpc.services() == []


def test_serving_for_programs(directory: Path) -> None:
    command = [sys.executable, "-m", "nanorpc", "serve", str(HERE / "programs.py:answers"), "--json", "--until-eof", "--workers", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline()) == {"service": "answers", "pid": server.pid, "directory": str(directory)}
        with nanorpc.connect("answers") as client:
            assert client.answer() == 42
        server.communicate(timeout=20)
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nosuch:service", "no module 'nosuch' in "),
        ("programs.nosuch:service", "no module 'programs.nosuch'"),
        ("programs:nosuch", "programs has no 'nosuch'. Its services: calc, answers"),
        ("programs:number", "is no nanorpc.Service, but of type int. Its services: calc, answers"),
        ("programs", "say which service of programs: programs:NAME"),
        ("nosuch.py:service", "there is no file nosuch.py"),
        ("not a module", "names no service: write MODULE:SERVICE"),
        ("json", "no services at its top level"),
    ],
)
def test_no_service(directory: Path, target: str, text: str) -> None:
    result = run("serve", target, cwd=HERE)
    assert (result.returncode, result.stdout) == (1, b"")
    assert text in result.stderr.decode()
    assert b"Traceback" not in result.stderr


def test_module_that_fails(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nosuch\n")
    result = run("serve", "broken:service", cwd=tmp_path)
    assert result.returncode == 1
    assert b"No module named 'nosuch'" in result.stderr
    assert b'broken.py", line 1' in result.stderr


def test_modules_of_the_same_name(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").touch()
    assert b"another module 'json'" in run("serve", str(tmp_path / "json.py:service")).stderr


def test_console_script_finds_modules_here(directory: Path) -> None:
    script = Path(sys.executable).parent / "nanorpc"
    with subprocess.Popen([script, "serve", "programs:calc"], cwd=HERE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "serving calc" in server.stdout.readline()
        os.kill(server.pid, signal.SIGINT)
        server.communicate(timeout=20)
    assert server.returncode == 0
