"""The stub of the extension says what the extension has."""

from __future__ import annotations

import ast
from importlib.resources import files

from nanorpc._loader import core

TYPES = {"int64_t": "int", "char *": "str"}


def declared() -> dict[str, list[tuple[str, str]]]:
    tree = ast.parse(files("nanorpc").joinpath("_core.pyi").read_text())
    return {
        function.name: [(argument.arg, ast.unparse(argument.annotation or ast.Constant(None))) for argument in function.args.args]
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
    }


def built() -> dict[str, list[tuple[str, str]]]:
    """Return the functions of this project's package as their docstrings, which are generated, have them."""
    functions = {}
    for name in dir(core()):
        if name.startswith("pycore_"):
            lines = getattr(core(), name).__doc__.splitlines()
            types = [line.removeprefix("type: ").split(": ") for line in lines if line.startswith("type: ")]
            functions[name] = [(argument, TYPES[kind]) for argument, kind in types]
    return functions


def test_the_stub_is_complete_and_right() -> None:
    stub = declared()
    assert stub.pop("GoPyInit") == []
    for name in ("caller", "copied", "copy", "exchanger", "holder", "pin", "runner"):  # of objects too, which C declares in words
        arguments = ", ".join(argument for argument, _ in stub.pop(name))
        assert getattr(core(), name).__doc__.startswith(f"{name}({arguments})\n")
    assert stub == built()
