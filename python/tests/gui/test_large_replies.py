"""Large replies are decoded as far as they are looked at, and the rest when it is asked for."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from nanorpc.codec import Codec, Malformed
from nanorpc.gui.call.packed import PAGE, Packed, parts, value_of
from nanorpc.gui.call.reply import Nothing, read_reply
from nanorpc.gui.call.request import Call, Mode
from nanorpc.gui.call.result import Result
from nanorpc.gui.call.run import Outcome
from nanorpc.gui.texts import read_only, set_text
from nanorpc.introspection import MethodInfo

CALL = Call("demo", MethodInfo(name="add"), Mode.TEXT)
encode = msgspec.msgpack.encode
ROWS = [{"id": i, "name": f"name {i}", "price": i / 7, "tags": ["a", None, b"b"]} for i in range(4500)]


def whole(value: Any) -> Any:
    """Decode all of it, page by page."""
    if not isinstance(value, Packed):
        return value
    found = [(key, whole(item)) for key, item in parts(value)]
    return dict(found) if value.is_map else [item for _, item in found]


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        {"rows": ROWS, "n": 5},
        {i: str(i) for i in range(70_000)},
        [1] * 70_000,
        [list(range(200))] * PAGE,
        [[[[[list(range(70_000))]]]]],
        {"text": "x" * 100_000, "none": None, "empty": [], "more": {}},
        ["x" * 50] * (2 * PAGE),
    ],
    ids=["rows", "map", "numbers as keys", "small numbers", "one page", "deep", "text", "two pages"],
)
def test_parts_are_those_of_the_value(value: Any) -> None:
    packed = value_of(encode(value))
    assert isinstance(packed, Packed)
    assert len(packed) == len(value)
    assert whole(packed) == value


def test_pages_in_any_order() -> None:
    packed = value_of(encode(list(range(50_000))))
    for number in (7, 0, 49, 7):
        assert packed.page(number) == [(i, i) for i in range(number * PAGE, (number + 1) * PAGE)]


def test_arrays_beside_a_large_value() -> None:
    value = {"array": np.arange(5), "rows": ROWS, "many": [np.full(3, i) for i in range(6000)]}
    reply = read_reply(bytes(Codec().encode(value)), typed=True)
    assert isinstance(reply.value, Packed)
    assert reply.arrays[0][0] == "array"
    assert "int64" in reply.arrays[0][1]
    many = dict(parts(reply.value))["many"]
    assert isinstance(many, Packed)
    assert [found.tolist() for _, found in parts(many)] == [[i] * 3 for i in range(6000)]


def test_what_is_malformed() -> None:
    good = encode(ROWS)
    for payload in (good[:-1], good + b"\0", b"\xdd\xff\xff\xff\xff" + good, b"\xc1\0\0\0\xff\xff\xff\xff" + good):
        with pytest.raises(Malformed):
            value_of(payload)
        assert read_reply(payload, typed=True).value is Nothing
    bad = encode(["first", *ROWS]).replace(b"first", b"\xff\xff\xff\xff\xff")  # no UTF-8: found only when it is looked at
    reply = read_reply(bad, typed=True)
    assert "utf-8" in str(reply.value.page(0)[0][1]).lower()
    assert "utf-8" in reply.text.lower()
    array_of_another = encode([msgspec.msgpack.Ext(1, encode(["<f4", [1], 0])), *ROWS])
    assert isinstance(value_of(array_of_another).page(0)[0][1], Malformed)


def test_a_large_value_costs_little() -> None:
    """What the decoder does in one go, with the interpreter's lock held, in the thread's own time: the better of some tries."""

    def cost(work: Callable[[], object]) -> float:
        def once() -> float:
            start = time.thread_time()
            work()
            return time.thread_time() - start

        return min(once() for _ in range(3))

    payload = encode({"rows": [[i % 100] * 10 for i in range(360_000)]})
    eager, lazy = cost(lambda: Codec().decoder().decode(payload)), cost(lambda: value_of(payload).page(0))
    print(f"{len(payload) >> 10} KiB: {eager * 1e3:.1f} ms as a whole, {lazy * 1e3:.1f} ms up to the first parts")
    assert lazy < eager / 2


def test_tree_shows_more_when_it_is_asked_for(qtbot: QtBot) -> None:
    result = Result()
    qtbot.addWidget(result)
    result.show()
    for value in (list(range(70_000)), {str(i): i for i in range(2 * PAGE + 1)}):
        reply = read_reply(encode(value), typed=True)
        result.show_outcome(Outcome(CALL, array("q"), reply))
        assert result.currentWidget() is result.tree
        top = result.value.index(0, 0)
        assert result.value.rowCount(top) == PAGE + 1
        for pages in (1, 2):
            last = result.value.index(pages * PAGE, 0, top)
            assert f"{len(value) - pages * PAGE:,} more" in last.siblingAtColumn(1).data()
            result.tree.setCurrentIndex(last)
            qtbot.keyClick(result.tree, Qt.Key_Return)
        rows = result.value.rowCount(top)
        cells = [result.value.index(row, 1, top).data() for row in range(rows)]
        assert cells[: 2 * PAGE] == [str(i) for i in range(2 * PAGE)]
        assert rows == (3 * PAGE + 1 if len(value) > 3 * PAGE else 2 * PAGE + 1)
        result.value.show_more(result.value.index(0, 0, top))  # which is a value
        assert result.value.rowCount(top) == rows


def test_a_long_word_is_laid_out_quickly(qtbot: QtBot, qapp: QApplication) -> None:
    edit = read_only("text", wrapped=True)
    qtbot.addWidget(edit)
    edit.resize(600, 400)
    edit.show()
    qapp.processEvents()
    start = time.thread_time()
    set_text(edit, "x" * 65_536)
    qapp.processEvents()
    assert time.thread_time() - start < 0.2  # a twentieth of it; else half a second
    assert edit.toPlainText() == "x" * 65_536
