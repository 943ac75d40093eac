"""Fixtures for the dashboard's tests, which run without a display."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from nanorpc.gui.screen import Screen
from nanorpc.gui.window import Window

AScreen = TypeVar("AScreen", bound=Screen)

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "services"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("NANORPC_DIR", str(path))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    """What a window remembers, not the user's."""
    return QSettings(str(tmp_path / "settings.ini"), QSettings.IniFormat)


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, directory: Path, settings: QSettings) -> Iterator[Window]:
    """A window that is shown."""
    shown = Window(str(directory), settings)
    qtbot.addWidget(shown)
    shown.show()
    qtbot.waitExposed(shown)
    yield shown
    shown.close()


@pytest.fixture
def show_screen(qtbot: QtBot) -> Iterator[Callable[[AScreen], AScreen]]:
    """Shows a screen without the window around it, until the end of the test."""
    shown: list[Screen] = []

    def show(screen: AScreen) -> AScreen:
        qtbot.addWidget(screen)
        shown.append(screen)
        screen.resize(1000, 600)
        screen.show()
        screen.activated()
        return screen

    yield show
    for screen in shown:
        screen.shutdown()


@pytest.fixture
def typed_server(start: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """A service with types in a process of its own."""
    program = f"{Path(__file__).parent / 'services_program.py'}:demo"
    return start(sys.executable, "-m", "nanorpc", "serve", program, "--traceback", ready="serving")
