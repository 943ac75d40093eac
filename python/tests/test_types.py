"""Arguments and results of typed methods, from a client that has none of the service's code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

import nanorpc


@dataclass
class Point:
    x: float
    y: float


service = nanorpc.Service("types", version="2", doc="For tests.")


@service.method(idempotent=True)
def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    This is not the first paragraph.
    """
    return a + b


@service.method
def greet(name: str, *, greeting: str = "hello", times: int) -> str:
    return " ".join([f"{greeting}, {name}"] * times)


@service.method
def moved(point: Point, by: Point = Point(1, 1)) -> Point:  # noqa: B008
    return Point(point.x + by.x, point.y + by.y)


@service.method
def total(numbers: list[float], weights: dict[str, int] | None = None) -> float:
    return sum(numbers) + sum((weights or {}).values())


@service.method
def same(value: Any = None) -> Any:
    return value


@service.method
def scaled(array: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    return array * np.float32(factor)


@service.method
def table(array: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> int:
    return int(array.sum())


@service.method
def nothing() -> None: ...


@service.method
async def later(name: str, *, upper: bool = False) -> str:
    return name.upper() if upper else name


@service.method
def close(call: str) -> str:
    return f"closed {call}"


@service.method(name="not an identifier")
def odd(a: int) -> int:
    return -a


@pytest.fixture
def client(serve: Callable[..., nanorpc.Client]) -> nanorpc.Client:
    return serve(service)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        (("2",), {}, "argument 'a': expected int, got str"),
        ((1, 2.5), {}, "argument 'b': expected int, got float"),
        ((), {}, "missing argument 'a'"),
        ((1, 2, 3), {}, "add takes 2 arguments, got 3"),
        ((), {"a": 1, "c": 3}, "unknown argument 'c'"),
        ((), {"b": 1}, "missing argument 'a'"),
        ((1,), {"a": 3}, "argument 'a' of add is given twice"),
        ((1, 2, 3), {"c": 3}, "add takes 2 arguments by position, got 3"),
        ((1,), {"b": None}, "argument 'b': expected int, got None"),
    ],
)
def test_wrong_arguments_are_named(client: nanorpc.Client, args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(nanorpc.BadRequest, match=text) as caught:
        client.add(*args, **kwargs)
    assert isinstance(caught.value, TypeError)
    assert client.add(1) == 2


def test_wrong_types_inside_of_arguments_are_named(client: nanorpc.Client) -> None:
    with pytest.raises(nanorpc.BadRequest, match=r"argument 'point\.y': expected float, got str"):
        client.moved({"x": 1.0, "y": "2"})
    with pytest.raises(nanorpc.BadRequest, match=r"argument 'numbers\[1\]': expected float, got str"):
        client.total([1, "2"])
    with pytest.raises(nanorpc.BadRequest, match="missing argument 'times'"):
        client.greet("world")
    with pytest.raises(nanorpc.BadRequest, match="1 argument by position, got 2"):
        client.greet("world", "hi")
    with pytest.raises(nanorpc.BadRequest, match="argument 'name': expected str, got int"):
        client.later(3)


def test_positional_named_and_keyword_only_arguments(client: nanorpc.Client) -> None:
    assert client.add(2, 3) == client.add(2, b=3) == client.add(a=2, b=3) == client.add(b=3, a=2) == 5
    assert client.add(2) == client.add(a=2) == 3
    assert client.greet("world", times=2) == client.greet(times=2, name="world") == "hello, world hello, world"
    assert client.greet("world", times=1, greeting="hi") == "hi, world"
    assert (client.later("x"), client.later("x", upper=True), client.later(name="x")) == ("x", "X", "x")
    assert client.nothing() is None


def test_dataclasses_without_their_code(client: nanorpc.Client) -> None:
    assert client.moved(Point(1, 2)) == {"x": 2.0, "y": 3.0}
    assert client.moved({"x": 1, "y": 2}, {"x": 10, "y": 20}) == {"x": 11.0, "y": 22.0}
    assert client.method("moved", Point)(Point(1, 2), by=Point(2, 2)) == Point(3, 4)
    with pytest.raises(nanorpc.Incompatible, match="add returned something else than Point"):
        client.method("add", Point)(1, 2)


@pytest.mark.parametrize("value", [None, True, -(1 << 63), (1 << 64) - 1, 1.5, "text ä", b"bytes", [1, [2, "x"]], {"a": {"b": [None]}}, {1: 2}, []])
def test_values_come_back(client: nanorpc.Client, value: object) -> None:
    assert client.same(value) == value
    assert client.same(value=value) == value


@pytest.mark.parametrize("value", [object(), 1 << 64, "\ud800", lambda: None])
def test_values_that_cannot_be_sent(client: nanorpc.Client, value: object) -> None:
    with pytest.raises((TypeError, OverflowError, ValueError)):
        client.same(value)
    assert client.same(1) == 1


ARRAYS = [
    np.float32(3) * np.ones(3, np.float32),
    np.zeros((0, 3)),
    np.array(7, np.int16),
    np.arange(24, dtype=np.int64).reshape(2, 3, 4),
    np.arange(24, dtype=">u4").reshape(2, 12)[:, ::2],
    np.array(["a", "bcd"]),
    np.array([True, False]),
    np.array(["2020-01-01"], "datetime64[D]"),
    np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    np.arange(1 << 18, dtype=np.float64).reshape(512, 512),
    np.asfortranarray(np.arange(1 << 16).reshape(256, 256)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str if not array.dtype.names else 'fields'}-{array.shape}")
def test_arrays_keep_their_type_and_shape(client: nanorpc.Client, array: np.ndarray[Any, Any]) -> None:
    for _ in range(3):
        got = client.same({"array": array, "more": [array, 1]})
        for back in (got["array"], got["more"][0]):
            assert (back.dtype, back.shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(back, array)
            assert not back.flags.writeable
        assert got["more"][1] == 1


class Stubborn(np.ndarray[Any, Any]):
    def __array_function__(self, *given: Any) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize("length", [10, 100_000])
def test_arrays_of_other_classes_arrive_as_arrays(client: nanorpc.Client, length: int) -> None:
    numbers = np.arange(length)
    got = client.same(numbers.view(Stubborn))
    assert type(got) is np.ndarray
    assert np.array_equal(got, numbers)


def test_arrays_lie_where_the_reply_lies(client: nanorpc.Client) -> None:
    big = client.same(np.arange(1 << 20, dtype=np.uint8))
    assert "memfd:nanorpc" in mapping_of(big)
    idle = len(client._channel._idle)
    del big
    assert len(client._channel._idle) == idle + 1  # the next call need not ask the core for a slot
    small = client.same(np.arange(10))
    assert "memfd:nanorpc" not in mapping_of(small)


def mapping_of(array: np.ndarray[Any, Any]) -> str:
    with open("/proc/self/maps") as maps:
        for line in maps:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if first <= array.ctypes.data < last:
                return line
    raise AssertionError("nowhere")


def test_hints_of_arrays_are_checked(client: nanorpc.Client) -> None:
    got = client.scaled(np.ones(4, np.float32), 2.0)
    assert got.dtype == np.float32
    assert got.tolist() == [2, 2, 2, 2]
    for size in (4, 100_000):
        with pytest.raises(nanorpc.BadRequest, match="argument 'array': expected an array of float32, got one of float64"):
            client.scaled(np.ones(size), 2.0)
    with pytest.raises(nanorpc.BadRequest, match="argument 'array': expected an array of 2 dimensions, got one of 1"):
        client.table(np.ones(4, np.int64))
    with pytest.raises(nanorpc.BadRequest, match="argument 'array'"):
        client.table([[1, 2]])
    with pytest.raises(TypeError, match="Python objects"):
        client.same(np.array([object()]))


def test_methods_tell_of_themselves(client: nanorpc.Client) -> None:
    methods = {info.name: info for info in client.methods()}
    assert list(methods) == list(service.methods)
    assert methods["add"].doc == "Add two numbers."
    assert methods["add"].idempotent
    assert not methods["greet"].idempotent
    assert [(one.name, one.type, one.required, one.keyword_only) for one in methods["greet"].parameters] == [
        ("name", "str", True, False),
        ("greeting", "str", False, True),
        ("times", "int", True, True),
    ]
    assert client.describe().version == "2"
    assert client.add.info == methods["add"]
    with pytest.raises(nanorpc.UnknownMethod, match="no_such"):
        _ = client.no_such.info
    with pytest.raises(nanorpc.UnknownMethod, match="no_such"):
        client.no_such(1)
    with pytest.raises(nanorpc.UnknownMethod, match="no_such"):
        client.no_such(1, b=2)
    assert {"add", "greet", "call"} <= set(dir(client))


def test_names_of_the_client_itself(client: nanorpc.Client) -> None:
    assert client.method("close")("it") == "closed it"
    assert client.method("close")(call="it") == "closed it"
    assert client.method("not an identifier")(3) == -3
    assert client.add(1) == 2


class Typed(Protocol):
    def add(self, a: int, b: int = 1) -> int: ...

    def moved(self, point: Point, by: Point = ...) -> Point: ...

    def nothing(self) -> None: ...

    def scaled(self, array: NDArray[np.float32], factor: float) -> NDArray[np.float32]: ...


class Wrong(Protocol):
    def add(self, a: int, b: int) -> str: ...


def test_interfaces(client: nanorpc.Client) -> None:
    typed = client.bind(Typed)
    assert typed.add(2) == 3
    assert typed.add(2, b=5) == 7
    assert typed.moved(Point(1, 2)) == Point(2, 3)
    assert typed.nothing() is None  # type: ignore[func-returns-value]
    assert typed.scaled(np.ones(2, np.float32), 3).tolist() == [3, 3]
    with pytest.raises(nanorpc.Incompatible, match="add returned something else than str: expected str, got int"):
        client.bind(Wrong).add(1, 2)
    with pytest.raises(AttributeError):
        _ = typed.greet  # type: ignore[attr-defined]


def test_results_that_cannot_be_sent(serve: Callable[..., nanorpc.Client]) -> None:
    other = nanorpc.Service("other")

    @other.method
    def one(size: int) -> object:
        return object() if not size else {"x": [b"x" * size, object()]}

    client = serve(other)
    for size in (0, 10, 10_000):
        with pytest.raises(nanorpc.RemoteError, match="object cannot be sent"):
            client.one(size)
