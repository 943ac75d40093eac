from __future__ import annotations

import copy
import pickle
import random
import sys
import traceback
from typing import Any

import msgspec
import pytest

from nanorpc.errors import BadRequest, InvalidName, NanoRPCError, RemoteError
from nanorpc.remote import LIMIT, ErrorRegistry, decode_error, encode_error


class InsufficientFunds(Exception):
    def __init__(self, account: str, missing: int) -> None:
        super().__init__(account, missing)
        self.account = account
        self.missing = missing

    def __str__(self) -> str:
        return f"{self.account} lacks {self.missing}"


class Overdrawn(InsufficientFunds):
    pass


class Note(Exception):
    pass


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture
def registry() -> ErrorRegistry:
    registry = ErrorRegistry()
    registry.add("bank.InsufficientFunds", InsufficientFunds)
    registry.add("bank.Note", Note)
    return registry


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def crossed(error: BaseException, registry: ErrorRegistry, receiver: ErrorRegistry | None = None, *, traceback: bool = False) -> Exception:
    payload = encode_error(raised(error), registry, traceback)
    assert len(payload) < LIMIT
    return decode_error(payload, receiver or registry)


def test_unregistered_errors(registry: ErrorRegistry) -> None:
    error = crossed(KeyError("no such thing"), registry)
    assert type(error) is RemoteError
    assert str(error) == "KeyError: 'no such thing'"
    assert (error.type, error.message, error.traceback) == ("KeyError", "'no such thing'", None)
    assert not hasattr(error, "__notes__")
    assert str(crossed(ValueError(), registry)) == "ValueError"


def test_registered_errors_come_back_as_themselves(registry: ErrorRegistry) -> None:
    error = crossed(InsufficientFunds("me", 30), registry)
    assert type(error) is InsufficientFunds
    assert (error.account, error.missing) == ("me", 30)
    error = crossed(Note("text"), registry)
    assert (type(error), error.args) == (Note, ("text",))


def test_bad_requests_always_do() -> None:
    error = crossed(BadRequest("argument 'a': expected int, got str"), ErrorRegistry())
    assert type(error) is BadRequest
    assert str(error) == "argument 'a': expected int, got str"
    assert isinstance(error, TypeError)
    assert isinstance(error, NanoRPCError)


def test_subclasses_go_by_their_nearest_base(registry: ErrorRegistry) -> None:
    error = crossed(Overdrawn("me", 30), registry)
    assert type(error) is InsufficientFunds
    registry.add("bank.Overdrawn", Overdrawn)
    assert type(crossed(Overdrawn("me", 30), registry)) is Overdrawn


def test_names_that_the_receiver_does_not_know(registry: ErrorRegistry) -> None:
    error = crossed(InsufficientFunds("me", 30), registry, ErrorRegistry())
    assert type(error) is RemoteError
    assert str(error) == "InsufficientFunds: me lacks 30"


def test_a_class_that_takes_something_else(registry: ErrorRegistry) -> None:
    class Changed(Exception):
        def __init__(self) -> None:
            super().__init__("changed")

    receiver = ErrorRegistry()
    receiver.add("bank.InsufficientFunds", Changed)
    error = crossed(InsufficientFunds("me", 30), registry, receiver)
    assert type(error) is RemoteError
    assert str(error) == "InsufficientFunds: me lacks 30"


@pytest.mark.parametrize("args", [(object(),), ("x" * 5000, 1), (1 << 70,)], ids=["not encodable", "too long", "too large"])
def test_args_that_cannot_be_sent(registry: ErrorRegistry, args: tuple[Any, ...]) -> None:
    error = crossed(Note(*args), registry)
    assert type(error) is RemoteError
    assert error.type == "Note"


@pytest.mark.parametrize("text", ["x" * 10_000, "ä" * 10_000, "\ud800" * 10_000], ids=["ascii", "two bytes", "surrogates"])
@pytest.mark.parametrize("kind", [Note, KeyError, type("N" * 5000, (Exception,), {})], ids=["registered", "plain", "long name"])
@pytest.mark.parametrize("with_traceback", [False, True])
def test_long_texts_are_cut(registry: ErrorRegistry, text: str, kind: type[Exception], with_traceback: bool) -> None:
    error = crossed(kind(text), registry, traceback=with_traceback)
    assert len(str(error)) > 500
    assert type(error) is (Note if kind is Note else RemoteError)
    assert "…" in str(error)


def test_an_error_without_a_text(registry: ErrorRegistry) -> None:
    assert str(crossed(Silent(), registry, traceback=True)).startswith("Silent: ")


def test_tracebacks(registry: ErrorRegistry) -> None:
    error = crossed(KeyError("x"), registry, traceback=True)
    assert isinstance(error, RemoteError)
    assert error.traceback is not None
    assert "in raised" in error.traceback
    assert error.traceback.endswith("KeyError: 'x'\n")
    assert error.__notes__ == [f"Traceback of the server:\n{error.traceback}"]  # type: ignore[attr-defined]
    if sys.version_info >= (3, 11):
        assert "in raised" in "".join(traceback.format_exception(error))
    assert "in raised" in crossed(Note("x"), registry, traceback=True).__notes__[0]  # type: ignore[attr-defined]


def test_the_end_of_a_long_traceback_is_kept(registry: ErrorRegistry) -> None:
    def one(depth: int) -> None:
        other(depth - 1)

    def other(depth: int) -> None:
        if not depth:
            raise KeyError("deep")
        one(depth)

    with pytest.raises(KeyError) as caught:
        one(100)
    payload = encode_error(caught.value, registry, True)
    assert LIMIT - 100 < len(payload) < LIMIT
    error = decode_error(payload, registry)
    assert isinstance(error, RemoteError)
    assert error.traceback is not None
    assert error.traceback.startswith("…")
    assert error.traceback.endswith("KeyError: 'deep'\n")


def test_texts_that_are_no_such_payload(registry: ErrorRegistry) -> None:
    for text in ("", "a text of Go", "é", "12", "\u07c0\u07c0"):
        error = decode_error(text.encode(), registry)
        assert type(error) is RemoteError
        assert str(error) == text
        assert error.type == ""
    assert str(decode_error(memoryview(b"\xff\xfe"), registry)) == "\ufffd\ufffd"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": 3, "message": None, "name": [], "traceback": {}},
        {"name": "bank.Note", "args": "text"},
        {"name": "bank.InsufficientFunds", "args": [1, 2, 3]},
        {"name": "os.mkdir", "args": ["x"]},
        {"name": "builtins.KeyError", "args": ["x"]},
    ],
)
def test_contents_of_others(registry: ErrorRegistry, content: dict[str, Any]) -> None:
    assert type(decode_error(msgspec.msgpack.encode(content), registry)) is RemoteError


def test_fuzz(registry: ErrorRegistry) -> None:
    generator = random.Random(3)
    seeds = [encode_error(error, registry, True) for error in (KeyError("x"), InsufficientFunds("me", 3), Note("text"), BadRequest("x"))]
    known = 0
    for _ in range(5000):
        data = bytearray(generator.choice(seeds))
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(data))
            data[place : place + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
        error = decode_error(bytes(data), registry)
        known += type(error) is not RemoteError
        assert isinstance(error, RemoteError | InsufficientFunds | Note | BadRequest)
    assert known


def test_remote_errors_can_be_copied_and_made_of_a_text() -> None:
    error = RemoteError("x", "KeyError", "trace")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(twin) == "KeyError: x"
        assert (twin.type, twin.message, twin.traceback) == ("KeyError", "x", "trace")
    assert str(RemoteError("text")) == "text"
    assert RemoteError("text").type == ""


def test_registering() -> None:
    registry = ErrorRegistry()

    @registry.register("a.Mine")
    class Mine(Exception):
        pass

    assert registry.name_of(Mine()) == "a.Mine"
    assert registry.class_of("a.Mine") is Mine
    assert registry.name_of(KeyError()) == ""
    with pytest.raises(InvalidName, match="registered already"):
        registry.add("a.Mine", Note)
    with pytest.raises(InvalidName, match=r"registered already, as 'a\.Mine'"):
        registry.add("a.Other", Mine)
    for name in ("", "x" * 256, "ä" * 128, "nanorpc.Mine"):
        with pytest.raises(InvalidName, match="1 to 255 bytes"):
            registry.add(name, Note)
    with pytest.raises(TypeError, match="no class of exceptions"):
        registry.add("a.Exit", KeyboardInterrupt)  # type: ignore[arg-type]
    registry.add("x" * 255, Note)
    assert registry.class_of("x" * 255) is Note
