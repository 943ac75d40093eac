"""What an argument is, for the field in which it is written, and the word of ``nanorpc call`` that says the same."""

from __future__ import annotations

import base64
import json
from enum import Enum
from typing import Any

from nanorpc.commands.arguments import is_file
from nanorpc.commands.shape import Shape

_DEEPEST = 4
"""Objects within objects of an example: a schema may refer to itself."""

NULL = "null"


class Kind(Enum):
    """What kind of field an argument has. The value is what an empty field says."""

    CHOICE = "one of these"
    TRUTH = "true or false"
    INTEGER = "an integer"
    NUMBER = "a number"
    TEXT = "text"
    BYTES = 'text, "base64" in quotes, or @FILE'
    JSON = "JSON"


def choices(shape: Shape) -> list[Any] | None:
    """Return the values of which an argument has one, as an enumeration's has, without None; None if it may have others."""
    values: list[Any] = []
    for alternative in shape.alternatives():
        schema = alternative.schema
        if "enum" in schema:
            values += schema["enum"]
        elif "const" in schema:
            values.append(schema["const"])
        elif schema.get("type") != "null":
            return None
    return [value for value in values if value is not None] or None


def may_be_none(shape: Shape) -> bool:
    """Whether an argument may be None beside something else that it is."""
    return any(alternative.schema.get("type") == "null" or None in alternative.schema.get("enum", []) for alternative in shape.alternatives())


def kind_of(shape: Shape) -> Kind:
    """Return the kind of an argument. What may be several things is JSON."""
    if choices(shape) is not None:
        return Kind.CHOICE
    types = {alternative.schema.get("type") for alternative in shape.alternatives()} - {"null"}
    if types == {"string"}:
        return Kind.BYTES if shape.is_bytes else Kind.TEXT
    known = {"boolean": Kind.TRUTH, "integer": Kind.INTEGER, "number": Kind.NUMBER}
    if types == {"integer", "number"}:
        return Kind.NUMBER
    return known.get(next(iter(types)) or "", Kind.JSON) if len(types) == 1 else Kind.JSON


def word_of(text: str, kind: Kind, shape: Shape) -> str:
    """Return what stands for the text of a field on the command line."""
    if kind not in (Kind.TEXT, Kind.BYTES) or (kind is Kind.BYTES and is_file(text)):
        return text
    try:
        meant = json.loads(text)
    except ValueError:
        return text
    if kind is Kind.BYTES:
        plain = isinstance(meant, str) or shape.is_text
        return text if plain else json.dumps(base64.b64encode(text.encode()).decode())
    return text if shape.is_text and not isinstance(meant, str) else json.dumps(text, ensure_ascii=False)


def text_of(word: str, kind: Kind) -> str:
    """Return the text of a field for what stands for it on the command line, or for a default in JSON."""
    if kind is Kind.TEXT:
        try:
            meant = json.loads(word)
        except ValueError:
            return word
        return meant if isinstance(meant, str) else word
    return word


def example(shape: Shape, depth: int = 0) -> Any:
    """Return a value of JSON that fits a shape: defaults, and of the rest as little as there may be."""
    found = choices(shape)
    if found is not None:
        return found[0]
    if depth and may_be_none(shape):
        return None
    schema = shape.alternatives()[0].schema
    if schema.get("type") == "object" and depth < _DEEPEST:
        parts = schema.get("properties", {}).items()
        return {name: part["default"] if "default" in part else example(shape.of(part), depth + 1) for name, part in parts}
    if schema.get("type") == "array":
        return [example(shape.of(part), depth + 1) for part in schema.get("prefixItems", [])]
    return {"integer": 0, "number": 0.0, "boolean": False, "string": "", "object": {}}.get(schema.get("type", ""))
