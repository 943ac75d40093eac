"""Types as a user's type checker sees them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nanorpc.interface import bound

HERE = Path(__file__).parent
PROGRAM = HERE / "typed_program.py"
EXAMPLES = sorted((HERE.parents[1] / "docs" / "examples").glob("*.py"))

WRONG = """
import nanorpc
from typing import Protocol

class Calc(Protocol):
    def add(self, a: int, b: int) -> int: ...

client = nanorpc.connect("calc", spin=3)  # error: arg-type
client.bind(Calc).add("1", 2)  # error: arg-type
text: str = client.bind(Calc).add(1, 2)  # error: assignment
client.call("add", "text")  # error: arg-type
client.call("add", timout=1)  # error: call-arg
service = nanorpc.Service("x", versoin=1)  # error: call-arg

@service.method
def f(a: int) -> int:
    return a

f("1")  # error: arg-type
number: int = client.method("f", returns=str)(1)  # error: assignment
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mypy")
    return tmp_path_factory.mktemp("mypy")


def mypy(cache: Path, *files: Path) -> str:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cache).stdout


def test_strict(cache: Path) -> None:
    for file in (PROGRAM, *EXAMPLES):
        assert "Success" in mypy(cache, file)


def test_mistakes(cache: Path, tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(WRONG)
    expected = [(number, line.partition("# error: ")[2]) for number, line in enumerate(WRONG.splitlines(), 1) if "# error: " in line]
    found = re.findall(r"wrong\.py:(\d+): error: .*\[([a-z-]+)\]", mypy(cache, program))
    assert [(int(number), code) for number, code in found] == expected


def test_the_program_runs(directory: Path) -> None:
    result = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, timeout=100)
    # In development mode asyncio says when something has taken 0.1 s, as it may on a busy machine.
    said = [line for line in result.stderr.splitlines() if "WARNING:asyncio:Executing" not in line]
    assert (result.returncode, said) == (0, [])
    assert result.stdout.splitlines() == [
        "5.0 5.0 [2.0, 2.0, 2.0]",
        "[5.0, 10.0] None",
        "[[2, 4], [6, 8]] b'\\x02\\x00\\x00\\x00'",
        "True",
        "no points",
        "Point(x=1.0, y=1.0)",
        "b'\\x00\\x00\\x00\\x00' [0.0, 1.0, 2.0]",
        "typed ['middle', 'length', 'scale', 'reverse', 'double']",
    ]


def test_an_interface_is_a_class() -> None:
    with pytest.raises(TypeError, match="is no class that declares methods"):
        bound(print, lambda name, returns: name)
