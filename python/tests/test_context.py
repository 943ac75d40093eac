from __future__ import annotations

import time

import pytest

from nanorpc.context import Context


def no_pid() -> int:
    raise AssertionError("nobody has asked")


def test_a_call_without_a_deadline() -> None:
    gone = False
    context = Context("bank", "pay", 0, 7, no_pid, lambda: gone)
    assert (context.service, context.method, context.connection, context.peer.connection) == ("bank", "pay", 7, 7)
    assert (context.deadline, context.remaining) == (None, None)
    assert not context.cancelled
    gone = True
    assert context.cancelled


def test_a_deadline() -> None:
    now = time.monotonic()
    context = Context("bank", "pay", int((now + 1000) * 1e9), 7, no_pid, lambda: False)
    assert context.deadline == pytest.approx(now + 1000)
    assert context.remaining is not None
    assert 0 < context.remaining <= 1000.001
    assert not context.cancelled


def test_a_deadline_that_has_passed() -> None:
    context = Context("bank", "pay", time.monotonic_ns() - 1, 7, no_pid, lambda: False)
    assert context.remaining == 0
    assert context.cancelled


def test_the_peer_is_asked_for_once() -> None:
    asked: list[int] = []

    def pid() -> int:
        asked.append(1)
        return 42

    context = Context("bank", "pay", 0, 7, pid, lambda: False)
    assert not asked
    assert (context.peer.pid, context.peer.pid) == (42, 42)
    assert len(asked) == 1
