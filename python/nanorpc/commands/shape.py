"""What an argument may be, as its JSON schema says: JSON has neither bytes nor arrays."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

_DEEPEST = 8
"""Alternatives within alternatives: a schema may refer to itself."""


class Shape:
    """A JSON schema, as servers give it for each argument. Without one, anything goes.

    :param schema: a schema; what is none is taken for an empty one.
    :param definitions: the schemas to which it may refer.
    """

    def __init__(self, schema: object, definitions: Mapping[str, object] | None = None) -> None:
        known: Mapping[str, Any] = schema if isinstance(schema, dict) else {}
        self._definitions = definitions if definitions is not None else known.get("$defs", {})
        reference = known.get("$ref")
        if isinstance(reference, str):
            referred = self._definitions.get(reference.rpartition("/")[2])
            known = referred if isinstance(referred, dict) else {}
        self.schema = known
        """That, or what it refers to."""

    @classmethod
    def parse(cls, text: str) -> Shape:
        """Return the shape that a schema in JSON describes."""
        try:
            return cls(json.loads(text))
        except ValueError:
            return cls({})

    @property
    def is_bytes(self) -> bool:
        """Whether it is bytes, or perhaps something that is no text."""
        texts = [shape for shape in self.alternatives() if shape.schema.get("type") == "string"]
        return bool(texts) and all(shape.schema.get("contentEncoding") == "base64" for shape in texts)

    @property
    def is_text(self) -> bool:
        """Whether it is text or bytes, and nothing else."""
        return all(shape.schema.get("type") == "string" for shape in self.alternatives())

    @property
    def may_be_text(self) -> bool:
        """Whether it is text or bytes, and perhaps something else."""
        return any(
            not shape.schema or shape.schema.get("type") == "string" or any(isinstance(value, str) for value in shape.schema.get("enum", []))
            for shape in self.alternatives()
        )

    def fit(self, value: Any) -> Any:
        """Return a value of JSON with bytes in place of their base64, and arrays in place of their lists. What does not fit stays as it is, for the
        server to refuse.

        :raises ValueError: something is no base64, or no array.
        """
        if isinstance(value, str):
            return self._bytes(value) if self.is_bytes else value
        if isinstance(value, dict):
            properties = self._find("object")
            named, other = properties.get("properties", {}), properties.get("additionalProperties")
            return {name: self.of(named.get(name, other)).fit(item) for name, item in value.items()}
        if isinstance(value, list):
            items = self._find("array")
            if items and "x-numpy-dtype" in items:
                return _array(value, str(items["x-numpy-dtype"]))
            first, rest = items.get("prefixItems", []), items.get("items")
            return [self.of(first[i] if i < len(first) else rest).fit(item) for i, item in enumerate(value)]
        return value

    def of(self, schema: object) -> Shape:
        """Return the shape of a part of this one."""
        return Shape(schema, self._definitions)

    def alternatives(self, depth: int = 0) -> list[Shape]:
        """Return the shapes of which it may have any; itself if there is one only."""
        given = self.schema.get("anyOf")
        if not isinstance(given, list) or depth == _DEEPEST:
            return [self]
        return [inner for schema in given for inner in self.of(schema).alternatives(depth + 1)]

    def _find(self, kind: str) -> Mapping[str, Any]:
        return next((shape.schema for shape in self.alternatives() if shape.schema.get("type") == kind), {})

    @staticmethod
    def _bytes(text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError(f"{text!r} is no base64, as bytes are in JSON") from None


def _array(values: list[Any], dtype: str) -> Any:
    import numpy as np

    try:
        kind = np.dtype(dtype)
    except TypeError:  # one of several, or an abstract one
        return np.asarray(values)
    return np.asarray(values, kind)
