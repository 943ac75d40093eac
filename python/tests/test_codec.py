from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import mmap
import os
import random
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from nanorpc._loader import core
from nanorpc.codec import ARRAY, HEADER, MARKER, Codec, Malformed


class Color(enum.Enum):
    RED = "red"


class Point(msgspec.Struct):
    x: int
    y: int = 0


@dataclasses.dataclass
class Job:
    name: str
    size: int = 1


class Opaque:
    def __init__(self, inside: int) -> None:
        self.inside = inside


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (self.trace,)


ARRAYS = {
    "int64": np.arange(5),
    "float32": np.linspace(0, 1, 7, dtype="f4"),
    "no dimensions": np.array(2.5),
    "empty": np.zeros((0, 4)),
    "big-endian": np.arange(6, dtype=">u2").reshape(2, 3),
    "bool": np.array([True, False]),
    "datetime64": np.array(["2020-02-29T12:00"], dtype="M8[ns]"),
    "timedelta64 of 25 s": np.array([3, 4], dtype="m8[25s]"),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "void": np.zeros(3, "V5"),
    "complex": np.array([1 + 2j]),
    "half": np.ones(3, "f2"),
    "structured": np.array([(1.5, [[1, 2, 3], [4, 5, 6]])], [("a", "<f4"), ("b", ">i2", (2, 3))]),
    "structured with gaps": np.array([(1, 2.5)], np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "structured in itself": np.ones(2, [("a", [("b", "f4")])]),
    "with titles": np.ones(1, [(("title", "a"), "f4")]),
    "Fortran order": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(20)[::-3],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
}


def payload(codec: Codec, value: Any) -> bytes:
    return bytes(codec.encode(value))


def crafted(*description: Any, data: bytes = bytes(64)) -> bytes:
    """A payload with one array of this description."""
    packed = msgspec.msgpack.encode(msgspec.msgpack.Ext(ARRAY, msgspec.msgpack.encode(description)))
    return (MARKER + len(packed).to_bytes(4, "little") + packed).ljust(64, b"\0") + data


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        (-5, int),
        ("ä", str),
        (b"\x00\xff", bytes),
        ([1, 2.5, "x", None], list),
        ({"a": {"b": [1]}}, dict),
        ((1, "x"), tuple[int, str]),
        ({1, 2}, set[int]),
        (Color.RED, Color),
        (Point(1, 2), Point),
        (Job("x", 3), Job),
        (datetime.datetime(2020, 2, 29, 1, 2, 3, 4, datetime.timezone.utc), datetime.datetime),
        (decimal.Decimal("1.10"), decimal.Decimal),
        (uuid.UUID(int=7), uuid.UUID),
    ],
)
def test_values(value: Any, kind: Any) -> None:
    codec = Codec()
    encoded = codec.encode(value)
    assert type(encoded) is bytes
    assert codec.decoder(kind).decode(encoded) == value
    assert codec.decoder(kind).decode(memoryview(encoded)) == value


def test_numpy_scalars_are_python_values() -> None:
    codec = Codec()
    value = {"i": np.int16(-3), "f": np.float32(0.5), "b": np.bool_(True), "s": np.str_("x"), "d": np.datetime64("2020-02-29")}
    decoded = codec.decoder().decode(payload(codec, value))
    assert decoded == {"i": -3, "f": 0.5, "b": True, "s": "x", "d": "2020-02-29"}
    assert [type(item) for item in decoded.values()] == [int, float, bool, str, str]


@pytest.mark.parametrize("value", [np.longdouble(1), np.datetime64(5, "ns"), np.complex64(1j)])
def test_numpy_scalars_without_a_python_value(value: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be sent|no Python value"):
        Codec().encode([value])


def test_hints_of_numpy_scalars() -> None:
    codec = Codec()
    decoded = codec.decoder(tuple[np.int8, np.float32, np.bool_]).decode(payload(codec, (3, 4, True)))
    assert [type(item) for item in decoded] == [np.int8, np.float32, np.bool_]
    with pytest.raises(Malformed, match=r"expected int8.*300"):
        codec.decoder(tuple[np.int8]).decode(payload(codec, [300]))
    with pytest.raises(Malformed, match=r"expected numpy\.int8, got str"):
        codec.decoder(tuple[np.int8]).decode(payload(codec, ["x"]))


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays(array: np.ndarray[Any, Any]) -> None:
    codec = Codec()
    encoded = payload(codec, {"a": array, "after": "x"})
    for source in (encoded, memoryview(bytearray(encoded))):
        decoded = codec.decoder().decode(source)
        assert decoded["after"] == "x"
        assert decoded["a"].dtype == array.dtype
        assert decoded["a"].shape == array.shape
        assert np.array_equal(decoded["a"], array)
        assert not decoded["a"].flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            decoded["a"].flags.writeable = True


def test_layout() -> None:
    encoded = payload(Codec(), [np.array([1, 2], "<u2"), np.array([3], "u1"), np.array([], "u1"), np.array([4], ">u4")])
    length = int.from_bytes(encoded[4:8], "little")
    assert encoded[:4] == b"\xc1\0\0\0"
    extensions = msgspec.msgpack.decode(encoded[8 : 8 + length])
    assert [extension.code for extension in extensions] == [1] * 4
    described = [msgspec.msgpack.decode(extension.data) for extension in extensions]
    first = described[0][2]
    assert first % 64 == 0
    assert described == [["<u2", [2], first], ["|u1", [1], first + 64], ["|u1", [0], first + 128], [">u4", [1], first + 128]]
    data = b"\1\0\2\0".ljust(64, b"\0") + b"\3".ljust(64, b"\0") + b"\0\0\0\4"
    assert encoded[8 + length :] == bytes(first - 8 - length) + data


@pytest.mark.parametrize("length", [*range(60), 1000, 100_000])
def test_a_message_pack_of_any_length_before_arrays(length: int) -> None:
    codec = Codec()
    text, array = codec.decoder().decode(payload(codec, ["x" * length, np.arange(3)]))
    assert text == "x" * length
    assert array.tolist() == [0, 1, 2]


def test_arrays_are_views_of_the_payload() -> None:
    codec = Codec()
    memory = bytearray(payload(codec, np.arange(4, dtype="u1")))
    array = codec.decoder().decode(memoryview(memory))
    memory[-1] = 77
    assert array.tolist() == [0, 1, 2, 77]


def test_write_fills_exactly_its_bytes() -> None:
    message = Codec().encode([np.arange(1000.0), np.ones(3, "u1")])
    assert not isinstance(message, bytes)
    memory = bytearray(b"\xee" * (message.nbytes + 5))
    message.write(memoryview(memory), core().copy)
    assert memory[-5:] == b"\xee" * 5
    assert memory[:-5] == bytes(message)
    with pytest.raises(ValueError, match="memory"):
        message.write(memoryview(bytearray(message.nbytes - 1)), core().copy)


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.ones(1, [("a", "f4"), ("b", "O")]),
        np.ma.masked_array([1, 2], [True, False]),
        np.zeros(3, []),
        np.zeros(2, np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]})),
    ],
    ids=["objects", "fields of objects", "masked", "no bytes", "overlapping fields"],
)
def test_arrays_that_cannot_be_sent(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        Codec().encode([np.arange(3), array])
    both = Codec(pickle=True)
    plain, pickled = both.decoder().decode(payload(both, [np.arange(3), array]))
    assert plain.tolist() == [0, 1, 2]
    assert (type(pickled), pickled.dtype) == (type(array), array.dtype)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (NDArray[np.float32], "expected an array of float32, got one of float64"),
        (NDArray[np.integer[Any]] | None, "expected an array of integer, got one of float64"),
        (np.ndarray[tuple[int], np.dtype[np.float64]], "expected an array of 1 dimensions, got one of 2"),
        (list[float], "expected list, got an extension"),
    ],
)
def test_hints_that_arrays_do_not_match(hint: Any, text: str) -> None:
    codec = Codec()
    with pytest.raises(Malformed) as raised:
        codec.decoder(tuple[int, hint]).decode(payload(codec, (1, np.ones((2, 2)))))
    assert raised.value.reason == text
    assert raised.value.path == "[1]"


@pytest.mark.parametrize("hint", [Any, np.ndarray, NDArray[np.float64], NDArray[np.floating[Any]], NDArray[Any], NDArray[np.float64] | None])
def test_hints_that_arrays_match(hint: Any) -> None:
    codec = Codec()
    (decoded,) = codec.decoder(tuple[hint]).decode(payload(codec, [np.ones((2, 2))]))
    assert decoded.shape == (2, 2)


def test_no_array_for_an_array() -> None:
    with pytest.raises(Malformed, match=r"expected numpy.ndarray, got list at \[0\]"):
        Codec().decoder(tuple[NDArray[np.float32]]).decode(payload(Codec(), [[1.0]]))


@pytest.mark.parametrize(
    ("kind", "value", "reason", "path"),
    [
        (int, "x", "expected int, got str", ""),
        (tuple[int | None], ["x"], "expected int | None, got str", "[0]"),
        (list[Point], [{"x": 1}, {"y": 1}], "missing field 'x'", "[1]"),
        (dict[str, list[int]], {"a": 3}, "expected list, got int", "[...]"),
        (dict[str, int], {3: 3}, "key: expected str, got int", ""),
        (Color, "blue", "Invalid enum value 'blue'", ""),
    ],
)
def test_wrong_types(kind: Any, value: Any, reason: str, path: str) -> None:
    with pytest.raises(Malformed) as raised:
        Codec().decoder(kind).decode(payload(Codec(), value))
    assert (raised.value.reason, raised.value.path) == (reason, path)


@pytest.mark.parametrize("value", [object(), 1j, [Opaque(1)], {"a": {"b": lambda: None}}])
def test_values_that_cannot_be_sent(value: Any) -> None:
    with pytest.raises(TypeError, match=r"(object|complex|Opaque|function) cannot be sent.*pickle at both ends"):
        Codec().encode(value)


def test_ints_of_more_than_64_bits() -> None:
    with pytest.raises(OverflowError):
        Codec().encode([1 << 64])


def test_pickled_objects() -> None:
    both = Codec(pickle=True)
    assert both.decoder(tuple[Opaque]).decode(payload(both, [Opaque(7)]))[0].inside == 7
    with pytest.raises(Malformed, match=r"expected .*Opaque, got complex"):
        both.decoder(tuple[Opaque]).decode(payload(both, [1j]))
    with pytest.raises(TypeError, match="function cannot be pickled"):
        both.encode(lambda: None)


def test_nothing_is_unpickled_unasked(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    encoded = payload(Codec(pickle=True), [Evil(str(trace))])
    for kind in (Any, list[Any], tuple[Evil]):
        with pytest.raises(Malformed, match="pickle at both ends"):
            Codec().decoder(kind).decode(encoded)
    assert not trace.exists()
    Codec(pickle=True).decoder().decode(encoded)
    assert trace.exists()


def test_pickles_that_cannot_be_read() -> None:
    with pytest.raises(Malformed, match="cannot be read"):
        Codec(pickle=True).decoder().decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(2, b"no pickle")))


def test_extensions_of_others_come_through() -> None:
    extension = msgspec.msgpack.Ext(9, b"abc")
    assert Codec().decoder().decode(payload(Codec(), [extension])) == [extension]


def test_an_array_in_a_plain_payload() -> None:
    packed = msgspec.msgpack.encode(msgspec.msgpack.Ext(ARRAY, msgspec.msgpack.encode(("<f4", [1], 64))))
    with pytest.raises(Malformed, match="without arrays"):
        Codec().decoder().decode(packed)


def test_the_crafted_payload_is_right() -> None:
    assert Codec().decoder().decode(crafted("<f4", [16], 64)).tolist() == [0.0] * 16


@pytest.mark.parametrize(
    "description",
    [
        ("<f4", [17], 64),
        ("<f4", [16], 65),
        ("<f4", [1], 4),
        ("<f4", [1], -64),
        ("<f4", [-1], 64),
        ("<f4", [1 << 62], 64),
        ("<f4", [1 << 32, 1 << 32], 64),
        ("<f4", [1 << 63, 2], 64),
        ("<f4", [1 << 63, 0], 64),
        ("<f4", [1] * 65, 64),
        ("<f4", [0], 1 << 40),
        ("<f4", [1.5], 64),
        ("<f4", 1, 64),
        ("|O", [1], 64),
        ("O", [1], 64),
        ("<f9", [1], 64),
        ("float32", [1], 64),
        ("f4,f4", [1], 64),
        ("<f4\n", [1], 64),
        ("|S0", [1 << 62], 64),
        ("<M8[parsecs]", [1], 64),
        ("|V99999999999", [1], 64),
        (3, [1], 64),
        ([], [1 << 62], 64),
        ([["a", "|O"]], [1], 64),
        ([["a", "f4,O"]], [1], 64),
        ([["a", "<f4"], ["a", "<f4"]], [1], 64),
        ([["a", "<f4", [1 << 40, 1 << 40]]], [1], 64),
        ([["a", "<f4", 3]], [1], 64),
        ([["a"]], [1], 64),
        ([[3, "<f4"]], [1], 64),
        (["a", "<f4"], [1], 64),
        ("<f4", [1]),
        ("<f4", [1], 64, 1),
    ],
    ids=repr,
)
def test_crafted_arrays(description: Any) -> None:
    with pytest.raises(Malformed, match="no array"):
        Codec().decoder().decode(crafted(*description))


@pytest.mark.parametrize("shape", [[3], [], [2, 3], [207, *[1] * 7]], ids=repr)  # the last has the first byte of a long offset at its place
def test_offsets_of_another_length(shape: list[int]) -> None:
    payload = crafted("|u1", shape, 64, data=bytes(range(207)))  # of one byte, where ours have nine
    array = Codec().decoder().decode(payload)
    assert (list(array.shape), array.ravel().tolist()) == (shape, list(range(array.size)))


def test_crafted_nesting() -> None:
    descr: Any = "<f4"
    for _ in range(300):
        descr = [["a", descr]]
    with pytest.raises(Malformed, match="no array"):
        Codec().decoder().decode(crafted(descr, [1], 64))


@pytest.mark.parametrize(
    "bad", [b"", b"\xc1", MARKER, b"\xc1\0\0\1\1\0\0\0\1", MARKER + b"\2\0\0\0\1", MARKER + b"\xff\xff\xff\xff\1", b"\x91" * 5000]
)
def test_broken_payloads(bad: bytes) -> None:
    for source in (bad, memoryview(bad)):
        with pytest.raises(Malformed):
            Codec().decoder().decode(source)


def fuzzed(seeds: list[bytes], generator: random.Random) -> bytes:
    """A payload with some bytes changed, cut out or doubled."""
    data = bytearray(generator.choice(seeds))
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(data) + 1)
        change = generator.randrange(4)
        if change == 0:
            data[place : place + 1] = bytes([generator.randrange(256)])
        elif change == 1:
            data[place : place + generator.randrange(9)] = b""
        elif change == 2:
            data[place:place] = data[place : place + generator.randrange(9)]
        else:
            data[place : place + 1] = generator.choice([b"\xc7", b"\xff", b"\0", b"\xdd", b"\xcf", b"\xd3", b"\x7f", b"\x80"])
    return bytes(data)


def test_fuzz() -> None:
    generator = random.Random(1)
    codec = Codec()
    arrays = [payload(codec, {"k": array, "n": [1, array]}) for array in ARRAYS.values()]
    plain = [payload(codec, value) for value in ([1, "a", None, {"k": 2.5}], (3, 4), {"x": b"abc", "y": [[[]]]}, datetime.datetime.now())]
    plain.append(payload(Codec(pickle=True), [1j]))
    kinds: list[Any] = [Any, dict[str, Any], dict[str, NDArray[np.float32] | None], tuple[int, int], Point, Job, datetime.datetime]
    decoders = [codec.decoder(kind) for kind in kinds]
    values = refused = 0
    for _ in range(6000):
        data = generator.choice(
            [fuzzed(arrays, generator), fuzzed(plain, generator), generator.randbytes(generator.randrange(40)), MARKER + generator.randbytes(40)]
        )
        for decoder in decoders:
            try:
                decoder.decode(data)
                values += 1
            except Malformed:
                refused += 1
    assert values > 1000
    assert refused > 1000


def test_fuzzed_arrays_stay_within_the_payload() -> None:
    generator = random.Random(2)
    codec = Codec()
    decoder = codec.decoder()
    seeds = [payload(codec, array) for array in ARRAYS.values()]
    views = 0
    for _ in range(6000):
        data = fuzzed(seeds, generator)
        try:
            array = decoder.decode(data)
        except Malformed:
            continue
        if isinstance(array, np.ndarray):
            views += 1
            start = np.frombuffer(data, "u1").__array_interface__["data"][0]
            first = array.__array_interface__["data"][0]
            assert array.flags.c_contiguous
            assert not array.size or start + HEADER <= first <= start + len(data) - array.nbytes
            assert not array.dtype.hasobject
    assert views > 1000


def test_threads_decode_their_own_payloads() -> None:
    codec = Codec()
    decoder = codec.decoder()
    wrong: list[int] = []

    def run(number: int) -> None:
        for _ in range(300):
            decoded = decoder.decode(payload(codec, [np.full(100, number), number]))
            if decoded[1] != number or not (decoded[0] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Nested:
    """Decodes another payload with arrays when it is unpickled."""

    def __reduce__(self) -> Any:
        return decode_nested, (payload(Codec(), np.arange(2)),)


NESTED = Codec(pickle=True).decoder()


def decode_nested(data: bytes) -> Any:
    return NESTED.decode(data).tolist()


def test_a_decoder_used_while_it_decodes() -> None:
    before, nested, after = NESTED.decode(payload(Codec(pickle=True), [np.arange(3), Nested(), np.arange(4)]))
    assert (before.tolist(), nested, after.tolist()) == ([0, 1, 2], [0, 1], [0, 1, 2, 3])


def test_arrays_keep_their_memory() -> None:
    memory = mmap.mmap(-1, 4096)
    view = memoryview(memory)
    message = bytes(Codec().encode(np.arange(3)))
    view[: len(message)] = message
    array = Codec().decoder().decode(view)
    view.release()
    with pytest.raises(BufferError):
        memory.close()
    assert array.tolist() == [0, 1, 2]
    del array
    memory.close()


def test_without_numpy() -> None:
    code = """
import sys
from nanorpc.codec import Codec
codec = Codec()
assert codec.decoder(tuple[int, dict[str, str]]).decode(codec.encode((1, {"a": "b"}))) == (1, {"a": "b"})
try:
    codec.encode(object())
except TypeError:
    pass
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
