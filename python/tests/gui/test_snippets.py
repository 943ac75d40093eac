"""What is copied as Python and as a command line is run, and must print the same as each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nanorpc
from nanorpc.commands.arguments import Mistake
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.call.snippets import as_command, as_python

EVERYTHING = {
    "count": "-3",
    "ratio": "1.5e3",
    "name": 'it\'s "quoted" = 42\n$HOME',
    "on": "true",
    "data": '"/wCA"',
    "colour": '"blue"',
    "size": '"small"',
    "items": "[1, 2, 3]",
    "item": '{"name": "a", "price": 2, "tags": ["x"], "picture": "AAE="}',
    "array": "[1, 2.5]",
    "note": "null",
    "limit": "7",
    "other": '{"deep": [null, true, "text"]}',
}


@pytest.fixture
def methods(demo_directory: Path) -> dict[str, nanorpc.MethodInfo]:
    with nanorpc.connect("demo") as client:
        return {info.name: info for info in client.methods()}


def run_python(text: str) -> str:
    return subprocess.run([sys.executable], input=text, capture_output=True, text=True, check=True, timeout=120).stdout


def run_command(text: str) -> bytes:
    """Run a command as a user would who has the package on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(["sh"], input=text.encode(), capture_output=True, check=True, timeout=120, env={**os.environ, "PATH": path}).stdout


def text_of(value: Any) -> str:
    """Return a printed result without line breaks and blanks, which numpy and JSON place differently."""
    return "".join(str(value).split())


def test_a_form_with_all_kinds_of_arguments(methods: dict[str, nanorpc.MethodInfo], demo_directory: Path) -> None:
    call = Call("demo", methods["everything"], Mode.FORM, tuple(EVERYTHING.items()))
    for place in (None, str(demo_directory)):
        printed = eval(run_python(as_python(call, place)), {"array": np.array, "float32": np.float32})
        answered = json.loads(run_command(as_command(call, place)))
        assert printed["name"] == repr('it\'s "quoted" = 42\n$HOME')
        assert printed["data"] == repr(b"\xff\x00\x80")
        assert printed["colour"] == "<Colour.BLUE: 'blue'>"
        assert printed["item"] == "Item(name='a', price=2.0, tags=['x'], picture=b'\\x00\\x01')"
        assert printed["other"] == {"deep": [None, True, "text"]}
        assert answered["array"]["values"] == [2, 5]
        for key in EVERYTHING.keys() - {"array"}:
            assert answered[key] == printed[key], key


@pytest.mark.parametrize("text", ["", "[2]", "[2, -3]", '{"a": 2, "b": 3}', "[-2, 3]"])
def test_json_arguments(methods: dict[str, nanorpc.MethodInfo], text: str) -> None:
    call = Call("demo", methods["add"], Mode.JSON, text=text)
    if not text:
        with pytest.raises(subprocess.CalledProcessError):
            run_python(as_python(call, None))
        with pytest.raises(subprocess.CalledProcessError):
            run_command(as_command(call, None))
    else:
        assert run_python(as_python(call, None)).strip() == run_command(as_command(call, None)).decode().strip() != ""


def test_a_number_that_python_has_no_literal_for(methods: dict[str, nanorpc.MethodInfo]) -> None:
    words = {**EVERYTHING, "ratio": "NaN", "array": "[NaN, Infinity]", "other": "[-Infinity]"}
    call = Call("demo", methods["everything"], Mode.FORM, tuple(words.items()))
    assert "'ratio': 'nan'" in run_python(as_python(call, None))
    assert json.loads(run_command(as_command(call, None)))["ratio"] == "nan"


def test_a_method_whose_name_is_no_identifier(methods: dict[str, nanorpc.MethodInfo]) -> None:
    call = Call("demo", methods["math.matrix"], Mode.FORM, (("rows", "1"), ("columns", "2")))
    assert text_of(run_python(as_python(call, None))) == "[[0.1.]]"
    assert json.loads(run_command(as_command(call, None)))["values"] == [0, 1]


@pytest.mark.parametrize(
    ("mode", "text", "reply"),
    [
        (Mode.TEXT, 'it\'s 100 % \\ "wörld"\n', b'it\'s 100 % \\ "w\xc3\xb6rld"\n'[::-1]),
        (Mode.TEXT, "-leading", b"gnidael-"),
        (Mode.TEXT, "with\0null", b"llun\0htiw"),
        (Mode.TEXT, "x" * 200_000, b"x" * 200_000),
        (Mode.HEX, "00 25 5c 27 ff 0a", b"\x0a\xff'\\%\0"),
        (Mode.HEX, "", b""),
    ],
    ids=["text", "hyphen", "null", "long", "hex", "empty"],
)
def test_bytes(methods: dict[str, nanorpc.MethodInfo], mode: Mode, text: str, reply: bytes) -> None:
    call = Call("demo", methods["reverse"], mode, text=text)
    assert run_command(as_command(call, None)) == reply
    assert run_python(as_python(call, None)) == f"{reply!r}\n"


def test_a_file(methods: dict[str, nanorpc.MethodInfo], tmp_path: Path) -> None:
    file = tmp_path / "it's a file"
    file.write_bytes(b"\xff\x00ab")
    call = Call("demo", methods["reverse"], Mode.FILE, text=str(file))
    assert run_command(as_command(call, None)) == b"ba\0\xff"
    assert run_python(as_python(call, None)) == f"{b'ba' + bytes([0, 255])!r}\n"


def test_arguments_for_a_method_of_which_nothing_is_known() -> None:
    call = Call("demo", nanorpc.MethodInfo(name="add"), Mode.JSON, text="[2, 3]")
    assert "client.add(2, 3)" in as_python(call, None)
    assert as_command(call, None) == "printf '\\222\\002\\003' | nanorpc call --timeout=5 --file=- demo add"


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [(Mode.HEX, "0g", "hex"), (Mode.JSON, "{", "JSON"), (Mode.JSON, "3", "list"), (Mode.FILE, "", "file")],
)
def test_what_cannot_be_sent_is_not_copied(mode: Mode, text: str, said: str) -> None:
    add = nanorpc.MethodInfo(name="add", kind="typed", parameters=[nanorpc.ParameterInfo(name="a", type="int", required=True)])
    for form in (as_python, as_command):
        with pytest.raises(Mistake, match=said):
            form(Call("demo", add, mode, text=text), None)
