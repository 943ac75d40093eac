"""The words of ``nanorpc call`` as arguments of a method."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanorpc.commands.shape import Shape
from nanorpc.introspection import MethodInfo, ParameterInfo

_NAMED = re.compile(r"([^\W\d]\w*)=(.*)", re.DOTALL)
_FILE = "@"


class Mistake(ValueError):
    """Words that can be no arguments. ``str()`` is a text for the user."""


def arguments(method: MethodInfo, words: Sequence[str], named: str | None) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments by position and by name. May read files.

    :param words: JSON, or ``name=JSON``. For an argument that is text or bytes, what is no JSON is taken as it stands; bytes may also be ``@FILE``.
    :param named: a JSON object with arguments by name; None for none.
    :raises Mistake: a word is none of these.
    :raises OSError: a file cannot be read.
    """
    known = {parameter.name: parameter for parameter in method.parameters}
    in_order = [parameter for parameter in method.parameters if not parameter.keyword_only]
    by_position: list[Any] = []
    by_name: dict[str, Any] = {}

    def give(name: str, value: Any) -> None:
        if name in by_name:
            raise Mistake(f"argument {name!r} is given twice")
        by_name[name] = value

    for word in words:
        match = _NAMED.fullmatch(word)
        if match is None:
            count = len(by_position)
            by_position.append(_value(word, in_order[count] if count < len(in_order) else None, f"argument {count + 1}"))
        elif match[1] in known:
            give(match[1], _value(match[2], known[match[1]], f"argument {match[1]!r}"))
        else:
            raise Mistake(f"there is no argument {match[1]!r}: {method}. A text with = in it is written as JSON: {shlex.quote(json.dumps(word))}")
    for name, value in _object(named).items() if named is not None else ():
        give(name, _fitting(value, _shape(known.get(name)), f"argument {name!r}"))
    return by_position, by_name


def content_of(file: str) -> bytes:
    """Return what is in a file; ``-`` is standard input.

    :raises OSError: it cannot be read.
    """
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def is_file(word: str) -> bool:
    """Whether an argument that is bytes names a file that has them."""
    return word.startswith(_FILE)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Mistake(f"--named: {error}") from None
    if not isinstance(value, dict):
        raise Mistake("--named takes a JSON object, such as '{\"a\": 2}'")
    return value


def _value(text: str, parameter: ParameterInfo | None, what: str) -> Any:
    shape = _shape(parameter)
    if shape.is_bytes and is_file(text):
        return content_of(text.removeprefix(_FILE))
    try:
        value = json.loads(text)
    except ValueError:
        if shape.may_be_text:
            return text.encode() if shape.is_bytes else text
        kind = f" is to be of type {parameter.type}, and" if parameter else ""
        raise Mistake(f"{what}{kind} is no JSON: {text}") from None
    if shape.is_text and not isinstance(value, str):  # such as 42 for a name
        return text.encode() if shape.is_bytes else text
    return _fitting(value, shape, what)


def _shape(parameter: ParameterInfo | None) -> Shape:
    return Shape.parse(parameter.schema if parameter is not None else "")


def _fitting(value: Any, shape: Shape, what: str) -> Any:
    try:
        return shape.fit(value)
    except (ValueError, OverflowError, TypeError) as error:
        raise Mistake(f"{what}: {error}") from None
