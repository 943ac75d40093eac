"""A call as a program, and as a command."""

from __future__ import annotations

import json
import keyword
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanorpc.client import Client
from nanorpc.commands.arguments import Mistake
from nanorpc.gui.call.request import Call, Mode

_LONGEST_WORD = 100_000
"""Bytes of a word on a command line, for which Linux has 128 KiB."""


def as_python(call: Call, directory: str | None) -> str:
    """Return a program that makes a call once and prints its result. Raises what :meth:`Call.payload` does."""
    _check(call)
    imports = ["import nanorpc"]
    name = call.info.name
    if call.has_arguments:
        args, named = call.arguments()
        plain = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") and not hasattr(Client, name)
        function = f"client.{name}" if plain else f"client.method({name!r})"
        given = [_literal(value) for value in args]
        if all(key.isidentifier() and not keyword.iskeyword(key) for key in named):
            given += [f"{key}={_literal(value)}" for key, value in named.items()]
        else:
            given.append(f"**{_literal(named)}")
        if any("np.array(" in text for text in given):
            imports.insert(0, "import numpy as np")
            imports.insert(1, "")
        expression = f"{function}({', '.join(given)})"
    elif call.mode is Mode.FILE:
        imports = ["from pathlib import Path", "", *imports]
        expression = f"client.call({name!r}, Path({call.text!r}).read_bytes())"
    else:
        expression = f"client.call({name!r}, {call.content()!r})"
    place = f", directory={directory!r}" if directory is not None else ""
    lines = [*imports, "", f"with nanorpc.connect({call.service!r}{place}, timeout={call.timeout!r}) as client:", f"    print({expression})"]
    return "\n".join(lines) + "\n"


def as_command(call: Call, directory: str | None) -> str:
    """Return a command for a shell that makes a call once and prints its result. Raises what :meth:`Call.payload` does."""
    _check(call)
    if call.has_arguments and call.typed:
        words, options = _words(call)
        if all(len(word.encode()) <= _LONGEST_WORD for word in (*words, *options)):
            return _command(call, directory, options, words)
    if call.mode is Mode.FILE:
        return _command(call, directory, [f"--file={call.text}"])
    payload = call.payload()
    if call.mode is Mode.TEXT and b"\0" not in payload and len(payload) <= _LONGEST_WORD:
        return _command(call, directory, [f"--data={call.text}"])
    octal = "".join(f"\\{byte:03o}" for byte in payload)
    return f"printf '{octal}' | {_command(call, directory, ['--file=-'])}"


def _check(call: Call) -> None:
    """Raise what the call would: what cannot be called is not copied either. A file that is sent as it is is not read for that."""
    if call.mode is not Mode.FILE:
        call.payload()
    elif not Path(call.text).is_file():
        raise Mistake(f"There is no file {call.text!r}")


def _command(call: Call, directory: str | None, options: Sequence[str], words: Sequence[str] = ()) -> str:
    names = [call.service, call.info.name, *words]
    place = [f"--directory={directory}"] if directory is not None else []
    end = ["--"] if any(name.startswith("-") for name in names) else []
    return shlex.join(["nanorpc", "call", f"--timeout={call.timeout:g}", *place, *options, *end, *names])


def _words(call: Call) -> tuple[list[str], list[str]]:
    """Return the arguments of a typed method, and options that have such."""
    if call.mode is Mode.FORM:
        return [f"{name}={word}" for name, word in call.words], []
    value = json.loads(call.text) if call.text.strip() else []
    if isinstance(value, dict):
        return [], [f"--named={json.dumps(value, ensure_ascii=False)}"]
    return [json.dumps(item, ensure_ascii=False) for item in value], []


def _literal(value: Any) -> str:
    """Return an argument as Python."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(item)}' for key, item in value.items())}}}"
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return f"np.array({_literal(value.tolist())}, np.{value.dtype.name})"
    return repr(value)
