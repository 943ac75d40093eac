from __future__ import annotations

import dataclasses
import functools
import json
import random
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from nanorpc.codec import Codec
from nanorpc.context import Context
from nanorpc.errors import BadRequest
from nanorpc.schema import Signature, bind

Positive = Annotated[int, msgspec.Meta(ge=0)]
CODEC = Codec()


class Job(msgspec.Struct):
    name: str
    size: int = 1


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Options(TypedDict, total=False):
    depth: int


class Opaque:
    pass


def add(a: int, b: int = 1) -> int:
    """Add two numbers,
    which may be negative.

    Not too large ones.
    """
    return a + b


def nothing() -> None: ...


def untyped(a, b=None):  # type: ignore[no-untyped-def]
    return a, b


def keyword(a: int, *, scale: float, offset: float = 0.0) -> float: ...  # type: ignore[empty-body]


def work(  # type: ignore[empty-body]
    job: Job,
    point: Point | None = None,
    mode: Literal["fast", "slow"] = "fast",
    size: Positive = 0,
    options: Optional[Options] = None,  # noqa: UP045
    key: Union[int, str] = 0,  # noqa: UP007
) -> dict[str, list[Job]]: ...


def many(a0=0, a1=0, a2=0, a3=0, a4=0, a5=0, a6=0, a7=0, a8=0, a9=0, a10=0, a11=0, a12=0, a13=0, a14=0, a15=0, a16: int = 0): ...  # type: ignore[no-untyped-def]


def arrays(a: NDArray[np.float32], b: np.ndarray[Any, Any] | None = None) -> NDArray[np.float32]: ...  # type: ignore[empty-body]


def with_context(a: int, ctx: Context, b: int = 2) -> None: ...


def decoded(function: Any, value: Any) -> Any:
    return Signature.of(function, CODEC).decode_arguments(bytes(CODEC.encode(value)))


@pytest.mark.parametrize(
    ("function", "value", "args", "kwargs"),
    [
        (add, (2, 3), (2, 3), {}),
        (add, (2,), (2,), {}),
        (add, {"a": 2}, (), {"a": 2}),
        (add, {"b": 2, "a": 1}, (), {"a": 1, "b": 2}),
        (nothing, (), (), {}),
        (nothing, {}, (), {}),
        (untyped, ({"x": [1]}, "y"), ({"x": [1]}, "y"), {}),
        (keyword, {"a": 1, "scale": 2.0}, (), {"a": 1, "scale": 2.0}),
        (work, [{"name": "x"}, {"x": 1.5}, "slow", 3], (Job("x"), Point(1.5), "slow", 3), {}),
        (work, {"job": {"name": "x", "size": 2}, "options": {"depth": 3}, "key": "k"}, (), {"job": Job("x", 2), "options": {"depth": 3}, "key": "k"}),
        (many, list(range(15)), tuple(range(15)), {}),
        (many, list(range(17)), tuple(range(17)), {}),
        (many, {f"a{index}": index for index in range(17)}, (), {f"a{index}": index for index in range(17)}),
        (with_context, (1,), (1,), {}),
        (with_context, (1, 3), (1, 3), {}),
    ],
)
def test_arguments(function: Any, value: Any, args: Any, kwargs: Any) -> None:
    assert decoded(function, value) == (args, kwargs)


def test_no_bytes_are_no_arguments() -> None:
    assert Signature.of(nothing, CODEC).decode_arguments(b"") == ((), {})
    with pytest.raises(BadRequest, match="missing argument 'a'"):
        Signature.of(add, CODEC).decode_arguments(b"")


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (add, (1, "x"), "argument 'b': expected int, got str"),
        (add, {"a": 1, "b": "x"}, "argument 'b': expected int, got str"),
        (add, (), "missing argument 'a'; add takes (a: int, b: int = 1)"),
        (add, {"b": 1}, "missing argument 'a'; add takes (a: int, b: int = 1)"),
        (add, {"a": 1, "x": 2}, "unknown argument 'x'; add takes (a: int, b: int = 1)"),
        (add, (1, 2, 3), "add takes 2 arguments, got 3"),
        (nothing, (1,), "nothing takes 0 arguments, got 1"),
        (nothing, {"x": 1}, "unknown argument 'x'; nothing takes ()"),
        (many, [0] * 18, "many takes 17 arguments, got 18"),
        (many, [0] * 16 + ["x"], "argument 'a16': expected int, got str"),
        (keyword, (1,), "missing argument 'scale'; keyword takes (a: int, *, scale: float, offset: float = 0.0)"),
        (keyword, (1, 2.0), "keyword takes 1 argument by position, got 2"),
        (add, 3, "add: the arguments are neither a list nor a dict"),
        (add, {1: 2}, "add: key: expected str, got int"),
        (work, [{"name": 3}], "argument 'job.name': expected str, got int"),
        (work, {"job": {"name": "x", "size": None}}, "argument 'job.size': expected int, got None"),
        (work, [{}], "argument 'job': missing field 'name'"),
        (work, [{"name": "x"}, 3], "argument 'point': expected dict | None, got int"),
        (work, [{"name": "x"}, None, "medium"], "argument 'mode': Invalid enum value 'medium'"),
        (work, [{"name": "x"}, None, "fast", -1], "argument 'size': expected int >= 0"),
        (work, {"job": {"name": "x"}, "options": {"depth": "x"}}, "argument 'options.depth': expected int, got str"),
        (work, {"job": {"name": "x"}, "key": 1.5}, "argument 'key': expected int | str, got float"),
        (arrays, [np.zeros(3)], "argument 'a': expected an array of float32, got one of float64"),
        (arrays, {"a": np.zeros(3)}, "argument 'a': expected an array of float32, got one of float64"),
        (arrays, [np.zeros(3, "f4")] * 3, "arrays takes 2 arguments, got 3"),
        (arrays, [[1.5]], "argument 'a': expected numpy.ndarray, got list"),
        (with_context, {"a": 1, "ctx": 2}, "unknown argument 'ctx'; with_context takes (a: int, b: int = 2)"),
    ],
)
def test_wrong_arguments(function: Any, value: Any, text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        decoded(function, value)
    assert str(raised.value) == text


def test_decoders_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes longer than a call."""

    def function(first: NDArray[np.float32], second: int = 0) -> None: ...

    signature = Signature.of(function, CODEC)
    numbers = np.ones(3, np.float32)
    monkeypatch.setattr(Codec, "decoder", None)
    for arguments in ((numbers,), (numbers, 2)):
        payload = bytes(CODEC.encode(arguments))
        args, kwargs = signature.decode_arguments(payload)
        assert (args[0].tolist(), args[1:], kwargs) == ([1, 1, 1], arguments[1:], {})
        assert len(signature.fast[payload[0]](payload)) == len(arguments)  # without the long way


def test_arrays_as_arguments() -> None:
    (first,), kwargs = decoded(arrays, [np.ones(3, "f4")])
    assert (first.tolist(), kwargs) == ([1.0, 1.0, 1.0], {})
    args, kwargs = decoded(arrays, {"a": np.ones(3, "f4"), "b": np.zeros(1, ">i2")})
    assert args == ()
    assert (kwargs["a"].tolist(), kwargs["b"].dtype.str) == ([1.0, 1.0, 1.0], ">i2")


@pytest.mark.parametrize(
    "payload", [b"\xc1", b"\x92\x01", b"\x82\xa1a\x01", b"\x91\x01\x01", b"\xdc", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x80\x01"]
)
@pytest.mark.parametrize("function", [add, nothing, many])
def test_broken_payloads(function: Any, payload: bytes) -> None:
    with pytest.raises(BadRequest):
        Signature.of(function, CODEC).decode_arguments(payload)


def test_junk_after_no_arguments() -> None:
    with pytest.raises(BadRequest, match="trailing"):
        Signature.of(nothing, CODEC).decode_arguments(b"\x90\x01")


def test_fuzz() -> None:
    generator = random.Random(4)
    functions = (add, nothing, untyped, keyword, work, many, arrays)
    signatures = [Signature.of(function, CODEC) for function in functions]
    values: list[Any] = [(1, 2), {"a": 1, "scale": 2.0}, {"job": {"name": "x"}}, [{"name": "x"}, None, "slow"], [np.ones(3, "f4")], [0] * 17]
    seeds = [bytes(CODEC.encode(value)) for value in values]
    taken = refused = 0
    for _ in range(3000):
        data = bytearray(generator.choice(seeds))
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(data) + 1)
            data[place : place + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
        for signature in signatures:
            try:
                signature.decode_arguments(bytes(data))
                taken += 1
            except BadRequest:
                refused += 1
    assert taken > 500
    assert refused > 500


def test_texts() -> None:
    signature = Signature.of(add, CODEC)
    assert str(signature) == "(a: int, b: int = 1) -> int"
    assert signature.doc == "Add two numbers, which may be negative."
    assert signature.name == "add"
    assert not signature.is_async
    assert str(Signature.of(keyword, CODEC)) == "(a: int, *, scale: float, offset: float = 0.0) -> float"
    assert str(Signature.of(untyped, CODEC)) == "(a: Any, b: Any = None)"
    assert str(Signature.of(with_context, CODEC)) == "(a: int, b: int = 2) -> None"
    assert str(Signature.of(nothing, CODEC, "bank.nothing")) == "() -> None"


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (Job, "Job"),
        (list[Job], "list[Job]"),
        (dict[str, Job | None], "dict[str, Job | None]"),
        (Optional[int], "int | None"),  # noqa: UP045
        (Union[int, str], "int | str"),  # noqa: UP007
        (Literal["a", 1], "Literal['a', 1]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (NDArray[np.float32], "NDArray[float32]"),
        (np.ndarray, "ndarray"),
    ],
)
def test_texts_of_hints_that_are_objects(hint: Any, text: str) -> None:
    def function(a):  # type: ignore[no-untyped-def]
        return a

    function.__annotations__ = {"a": hint, "return": hint}
    assert str(Signature.of(function, CODEC)) == f"(a: {text}) -> {text}"


def test_descriptions() -> None:
    description = Signature.of(work, CODEC).describe()
    assert json.loads(json.dumps(description)) == description
    assert [parameter["name"] for parameter in description["parameters"]] == ["job", "point", "mode", "size", "options", "key"]
    assert description["returns"] == "dict[str, list[Job]]"
    assert (description["doc"], description["async"]) == ("", False)
    job, _, mode, size, *_ = description["parameters"]
    assert job["required"]
    assert "default" not in job
    assert job["schema"]["$defs"]["Job"]["required"] == ["name"]
    assert mode == {
        "name": "mode",
        "type": "Literal['fast', 'slow']",
        "required": False,
        "keyword_only": False,
        "schema": {"enum": ["fast", "slow"]},
        "default": "fast",
    }
    assert size["schema"] == {"type": "integer", "minimum": 0}


def test_descriptions_of_arrays_and_odd_defaults() -> None:
    def function(a: NDArray[np.float32], b: Any = object()) -> None: ...  # noqa: B008

    array, odd = Signature.of(function, CODEC).describe()["parameters"]
    assert array["schema"] == {"type": "array", "x-numpy-dtype": "float32"}
    assert (odd["required"], "default" in odd, odd["schema"]) == (False, False, {})


@pytest.mark.parametrize(
    ("value", "args", "kwargs"),
    [
        ((1,), (1, "ctx"), {}),
        ((1, 3), (1, "ctx", 3), {}),
        ({"a": 1}, (), {"a": 1, "ctx": "ctx"}),
        ({"a": 1, "b": 2}, (), {"a": 1, "b": 2, "ctx": "ctx"}),
    ],
)
def test_the_context_gets_its_place(value: Any, args: Any, kwargs: Any) -> None:
    signature = Signature.of(with_context, CODEC)
    assert signature.context == "ctx"
    context: Any = "ctx"
    assert signature.with_context(*signature.decode_arguments(bytes(CODEC.encode(value))), context) == (args, kwargs)


def test_a_context_that_is_keyword_only() -> None:
    def function(a: int = 0, *, ctx: Context) -> None: ...

    signature = Signature.of(function, CODEC)
    context: Any = "ctx"
    assert signature.with_context(*signature.decode_arguments(b""), context) == ((), {"ctx": "ctx"})


def test_functions_of_many_kinds() -> None:
    class Holder:
        def method(self, a: int) -> int:
            return a

        async def __call__(self, a: int) -> int:
            return a

    for function in (Holder().method, Holder(), functools.partial(add, b=2), functools.partial(add, 5)):
        assert Signature.of(function, CODEC, "it").decode_arguments(b"\x91\x01") == ((1,), {})
    assert Signature.of(Holder(), CODEC).is_async


def first(*values: int) -> None: ...


def second(**values: int) -> None: ...


def third(a: int, /) -> None: ...


def fourth(a: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def fifth(a: list[Opaque]) -> None: ...


def sixth(a: Context, b: Context) -> None: ...


def seventh(a: int) -> Any:
    yield a


def eighth(a: NDArray[Any] | int) -> None: ...


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (first, r"'first'.*\*values"),
        (second, r"'second'.*\*\*values"),
        (third, "'third'.*'a' is positional-only"),
        (fourth, "'fourth'.*NameError.*Missing"),
        (fifth, "argument 'a' of method 'fifth'.*Opaque cannot be sent"),
        (sixth, "'sixth' has more than one Context: a, b"),
        (seventh, "'seventh' is a generator"),
        (eighth, "argument 'a' of method 'eighth'.*union"),
    ],
)
def test_functions_that_cannot_be_called(function: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        Signature.of(function, CODEC)


def test_pickled_arguments() -> None:
    both = Codec(pickle=True)
    (items,), _ = Signature.of(fifth, both).decode_arguments(bytes(both.encode([[Opaque()]])))
    assert type(items[0]) is Opaque


def test_binding() -> None:
    names = ["a", "b"]
    assert bind(names, (1, 2), {}) == (1, 2)
    assert bind((), (), {"b": 2}) == {"b": 2}
    assert bind(names, (1,), {"b": 2, "c": 3}) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(BadRequest, match="argument 'a' of add is given twice"):
        bind(names, (1,), {"a": 2}, "add")
    with pytest.raises(BadRequest, match="add takes 2 arguments by position, got 3"):
        bind(names, (1, 2, 3), {"c": 4}, "add")
