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


PROGRAM = (sys.executable, "-m", "nanorpc", "serve", f"{Path(__file__).parent / 'services_program.py'}:demo", "--traceback")


@pytest.fixture(scope="module")
def lasting_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a service with types that tests of a module share, as they do nothing to it but call it."""
    directory = tmp_path_factory.mktemp("services")
    directory.chmod(0o700)
    with subprocess.Popen(PROGRAM, env={**os.environ, "NANORPC_DIR": str(directory)}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "serving" in process.stdout.readline()
        yield directory
        process.kill()


@pytest.fixture
def demo_directory(lasting_demo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the default."""
    monkeypatch.setenv("NANORPC_DIR", str(lasting_demo))
    return lasting_demo


@pytest.fixture
def typed_server(start: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """A service with types in a process of its own, for a test that stops it or counts its calls."""
    return start(*PROGRAM, ready="serving")
