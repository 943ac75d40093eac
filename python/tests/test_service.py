from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from nanorpc.codec import Codec
from nanorpc.context import Context
from nanorpc.errors import BadRequest, InvalidName, NanoRPCError
from nanorpc.remote import ErrorRegistry
from nanorpc.service import Service


def test_registering() -> None:
    service = Service("bank", version="1.2", doc="Money.")

    @service.method
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @service.method(name="other", idempotent=True)
    async def something(ctx: Context) -> None: ...

    assert (service.name, service.version, service.doc) == ("bank", "1.2", "Money.")
    assert list(service.methods) == ["add", "other"]
    method, other = service.methods.values()
    assert add(2, 3) == 5
    assert (method.name, method.function, method.kind, method.idempotent, method.is_async, method.context) == (
        "add",
        add,
        "typed",
        False,
        False,
        None,
    )
    assert (other.name, other.function, other.kind, other.idempotent, other.is_async, other.context) == (
        "other",
        something,
        "typed",
        True,
        True,
        "ctx",
    )
    assert asyncio.iscoroutinefunction(other.function)


def test_methods_are_read_only() -> None:
    service = Service("bank")
    with pytest.raises(TypeError):
        service.methods["x"] = None  # type: ignore[index]


def later(job: Job) -> Job:  # type: ignore[name-defined]  # noqa: F821
    return job


def test_hints_that_are_defined_later() -> None:
    service = Service("bank")
    service.method(later)
    with pytest.raises(TypeError, match=r"'later'.*Job"):
        service.freeze(Codec())
    import msgspec

    globals()["Job"] = msgspec.defstruct("Job", [("name", str)])
    try:
        signature = service.freeze(Codec())["later"].signature
    finally:
        del globals()["Job"]
    assert signature is not None
    ((job,), _) = signature.decode_arguments(b"\x91\x81\xa4name\xa1x")
    assert job.name == "x"


def test_freezing() -> None:
    service = Service("bank")

    @service.method
    def add(a: int) -> int:
        return a

    @service.method(raw=True)
    def copy(request: bytes) -> bytes:
        return request

    assert service.methods["add"].signature is None
    frozen = service.freeze(Codec())
    assert service.methods == frozen
    signature = frozen["add"].signature
    assert signature is not None
    assert str(signature) == "(a: int) -> int"
    assert frozen["copy"].signature is None
    with pytest.raises(BadRequest, match="missing argument 'a'; add takes"):
        signature.decode_arguments(b"\x90")
    with pytest.raises(NanoRPCError, match="register 'more' before the server runs"):
        service.method(name="more")(add)
    assert list(service.freeze(Codec(pickle=True))) == ["add", "copy"]


def test_messages_have_the_name_of_the_method() -> None:
    service = Service("bank")

    @service.method(name="account.add")
    def add(a: int) -> int:
        return a

    signature = service.freeze(Codec())["account.add"].signature
    assert signature is not None
    with pytest.raises(BadRequest, match=r"account\.add takes 1 argument, got 2"):
        signature.decode_arguments(b"\x92\x01\x02")


def in_place(request: Any, out: Any) -> None: ...


def in_place_with_context(request: Any, out: Any, ctx: Context) -> None: ...


def of_bytes(request: bytes) -> bytes:
    return request


async def of_bytes_later(request: bytes, *, ctx: Context) -> bytes:
    return request


@pytest.mark.parametrize(
    ("function", "kind", "context"),
    [(in_place, "raw", None), (in_place_with_context, "raw", "ctx"), (of_bytes, "bytes", None), (of_bytes_later, "bytes", "ctx")],
)
def test_kinds(function: Any, kind: str, context: str | None) -> None:
    service = Service("bank")
    service.method(raw=True)(function)
    for method in (service.methods[function.__name__], service.freeze(Codec())[function.__name__]):
        assert (method.kind, method.context) == (kind, context)


def no_request() -> None: ...


def three(a: Any, b: Any, c: Any) -> None: ...


def keyword_only(request: bytes, *, out: Any) -> None: ...


def context_first(ctx: Context, request: bytes) -> None: ...


async def in_place_later(request: Any, out: Any) -> None: ...


def any_number(*requests: bytes) -> None: ...


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (no_request, r"'no_request' takes \(\): declare"),
        (three, "'three' takes .*declare"),
        (keyword_only, "'keyword_only' takes .*declare"),
        (context_first, "the Context comes last"),
        (in_place_later, "'in_place_later' is a coroutine function"),
        (any_number, r"\*requests"),
    ],
)
def test_raw_functions_that_cannot_be(function: Any, text: str) -> None:
    service = Service("bank")
    with pytest.raises(TypeError, match=text):
        service.method(raw=True)(function)
    assert not service.methods


def test_functions_that_no_caller_can_call() -> None:
    with pytest.raises(TypeError, match=r"\*requests"):
        Service("bank").method(any_number)


@pytest.mark.parametrize("name", ["", "x" * 256, "ä" * 128, "nanorpc.x", "\ud800"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidName, match="1 to 255 bytes"):
        Service("bank").method(name=name)(of_bytes)


def test_names_that_can_be() -> None:
    service = Service("bank")
    for name in ("x" * 255, "ä" * 127, "nanorpc", "a.b c"):
        service.method(name=name)(of_bytes)
    with pytest.raises(InvalidName, match="'nanorpc' is registered already"):
        service.method(name="nanorpc")(of_bytes)
    assert len(service.methods) == 4


def test_an_object_without_a_name() -> None:
    class Adder:
        def __call__(self, a: int) -> int:
            return a

    with pytest.raises(InvalidName, match="name="):
        Service("bank").method(Adder())
    service = Service("bank")
    service.method(name="add")(Adder())
    assert list(service.methods) == ["add"]


def test_descriptions() -> None:
    service = Service("bank")

    @service.method(idempotent=True)
    def add(a: int) -> int:
        """Add."""
        return a

    @service.method(raw=True)
    async def copy(request: bytes) -> bytes:
        """Copy."""
        return request

    typed, raw = (method.describe() for method in service.freeze(Codec()).values())
    assert typed == {
        "name": "add",
        "kind": "typed",
        "parameters": [{"name": "a", "type": "int", "required": True, "keyword_only": False, "schema": {"type": "integer"}}],
        "returns": "int",
        "doc": "Add.",
        "async": False,
        "idempotent": True,
    }
    assert raw == {"name": "copy", "kind": "bytes", "parameters": [], "returns": "", "doc": "Copy.", "async": True, "idempotent": False}
    assert json.loads(json.dumps([typed, raw])) == [typed, raw]


def test_errors_are_of_the_service() -> None:
    errors = ErrorRegistry()
    assert Service("bank", errors=errors).errors is errors
    assert Service("bank").errors is not Service("bank").errors
    assert Service("bank").errors.class_of("nanorpc.BadRequest") is BadRequest


def test_registering_loads_little() -> None:
    code = """
import sys
import nanorpc.remote, nanorpc.context
from nanorpc.service import Service
service = Service("bank")
@service.method
def add(a: int) -> int:
    return a
assert not {"msgspec", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
