from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings
from pytestqt.qtbot import QtBot

import nanorpc
from nanorpc.gui.call_screen import CallScreen
from nanorpc.gui.window import Window

LIMIT = 60_000  # ms


@pytest.fixture
def tab(qtbot: QtBot, directory: Path, settings: QSettings) -> Iterator[CallScreen]:
    window = Window(str(directory), settings)
    qtbot.addWidget(window)
    window.show()
    window.show_screen("call")
    yield window.call
    window.close()


def test_lists_services_and_calls_one(service: nanorpc.Server, tab: CallScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: tab.method.findText("hello") >= 0, timeout=LIMIT)
    assert tab.service.currentText() == "greeter"
    tab.method.setCurrentText("hello")
    tab.payload.setPlainText("wörld")
    tab.send_button.click()
    qtbot.waitUntil(lambda: tab.reply.toPlainText() == "hello, wörld", timeout=LIMIT)
    assert "s" in tab.result.text().split("·")[1]


def test_repeats_and_shows_bytes_as_hex(service: nanorpc.Server, tab: CallScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: tab.method.findText("hello") >= 0, timeout=LIMIT)
    tab.method.setCurrentText("binary")
    tab.encoding.setCurrentText("Hex")
    tab.payload.setPlainText("01 02")
    tab.repeat.setValue(100)
    tab.send()
    qtbot.waitUntil(lambda: tab.reply.toPlainText() == "ff 00 01 02", timeout=LIMIT)
    assert "100 calls" in tab.result.text()


@pytest.mark.parametrize(("method", "text"), [("fail", "no good"), ("nothing", "UnknownMethod")])
def test_errors_are_shown(service: nanorpc.Server, tab: CallScreen, qtbot: QtBot, method: str, text: str) -> None:
    qtbot.waitUntil(lambda: tab.method.findText("hello") >= 0, timeout=LIMIT)
    tab.method.setCurrentText(method)
    tab.send()
    qtbot.waitUntil(lambda: text in tab.result.text(), timeout=LIMIT)
    assert tab.send_button.isEnabled()


def test_bad_hex_is_explained(tab: CallScreen) -> None:
    tab.encoding.setCurrentText("Hex")
    tab.payload.setPlainText("xyz")
    tab.send()
    assert "hex" in tab.result.text()


def test_no_server(tab: CallScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: "./server" in tab.about.text(), timeout=LIMIT)
    tab.service.setCurrentText("nobody")
    tab.method.setCurrentText("echo")
    tab.send()
    qtbot.waitUntil(lambda: "ServerNotFound" in tab.result.text(), timeout=LIMIT)


def test_cancel_frees_the_window(service: nanorpc.Server, tab: CallScreen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: tab.method.findText("hello") >= 0, timeout=LIMIT)
    tab.method.setCurrentText("wait")
    tab.timeout.setValue(3000)
    tab.send()
    qtbot.waitUntil(lambda: tab._client is not None, timeout=LIMIT)
    tab.cancel_button.click()
    qtbot.waitUntil(lambda: tab.result.text() == "Cancelled.", timeout=LIMIT)
