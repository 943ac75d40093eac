"""What ``nanorpc call`` makes of arguments and results."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pytest

from nanorpc.commands.shape import Shape
from nanorpc.commands.values import for_people, for_programs

NODE = {"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"data": {"$ref": "#/$defs/Data"}, "next": {"anyOf": []}}}}}
NODE["$defs"]["Data"] = {"anyOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}]}  # type: ignore[index]
NODE["$defs"]["Node"]["properties"]["next"] = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Node"}]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("schema", "value", "fitted"),
    [
        ({}, {"a": ["x"]}, {"a": ["x"]}),
        ({"type": "string"}, "YQ==", "YQ=="),
        ({"type": "string", "contentEncoding": "base64"}, "YQ==", b"a"),
        ({"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}, ["YQ==", 3], [b"a", 3]),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string", "contentEncoding": "base64"}]},
            ["YQ==", "YQ==", "x"],
            ["YQ==", b"a", "x"],
        ),
        ({"type": "object", "additionalProperties": {"type": "string", "contentEncoding": "base64"}}, {"k": "YQ=="}, {"k": b"a"}),
        ({"anyOf": [{"type": "string"}, {"type": "string", "contentEncoding": "base64"}]}, "YQ==", "YQ=="),
        (NODE, {"data": "YQ==", "next": {"data": None, "next": {"data": "Yg=="}}}, {"data": b"a", "next": {"data": None, "next": {"data": b"b"}}}),
        ("no schema", 3, 3),
        ({"$ref": "#/$defs/Missing"}, "x", "x"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}}, "x", "x"),
    ],
)
def test_fitting(schema: Any, value: Any, fitted: Any) -> None:
    assert Shape(schema).fit(value) == fitted
    assert Shape.parse(json.dumps(schema)).fit(value) == fitted


def test_arrays() -> None:
    for dtype, expected in (("float32", np.float32), ("int8 | int16", np.int64), ("floating", np.int64), ("datetime64", "<M8[s]")):
        array = Shape({"type": "array", "x-numpy-dtype": dtype}).fit(
            ["2024-01-01T00:00:00", "2024-01-02T00:00:00"] if dtype == "datetime64" else [[1], [2]]
        )
        assert array.dtype == expected
    array = Shape({"anyOf": [{"type": "null"}, {"type": "array", "x-numpy-dtype": "bool"}]}).fit([True])
    assert array.dtype == np.bool_


def test_results() -> None:
    long = np.arange(20.0)
    structured = np.array([(1, b"\xff")], [("a", "<i4"), ("b", "S1")])
    for value, people, programs in (
        (None, "null", None),
        ("a\x1b[1m\x9b\u202e\N{SNOWMAN}", '"a\\u001b[1m\\u009b\\u202e\N{SNOWMAN}"', "a\x1b[1m\x9b\u202e\N{SNOWMAN}"),
        (b"abc", '"abc"', "YWJj"),
        (b"\x1b[1m", '"G1sxbQ=="', "G1sxbQ=="),
        (math.nan, '"nan"', None),
        ({3: [-math.inf], b"k": (1, 2)}, '{"3": ["-inf"], "k": [1, 2]}', {"3": [None], "aw==": [1, 2]}),
        (datetime.timedelta(minutes=1), "60.0", 60.0),
        (datetime.datetime(2024, 1, 2), '"2024-01-02T00:00:00"', "2024-01-02T00:00:00"),
        (long, '{"dtype": "float64", "shape": [20], "first": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}', list(range(20))),
        (np.array(3), '{"dtype": "int64", "shape": [], "values": [3]}', 3),
        (np.array([1j]), '{"dtype": "complex128", "shape": [1], "values": ["1j"]}', ["1j"]),
        (structured, None, [[1, "/w=="]]),
    ):
        if people is not None:
            assert for_people(value) == people
        assert for_programs(value) == programs
        assert json.loads(for_people(value)) is None or json.dumps(for_programs(value), allow_nan=False)
    assert for_people(["x" * 50] * 2).splitlines() == ["[", f'  "{"x" * 50}",', f'  "{"x" * 50}"', "]"]
