"""What this is, and what it is made of."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, metadata, version

from PyQt5.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, Qt
from PyQt5.QtWidgets import QMessageBox, QWidget

_LIBRARIES = {
    "PyQt5": ("the window", "GPL v3"),
    "matplotlib": ("plots", "Matplotlib (BSD-style)"),
    "numpy": ("arrays", "BSD 3-Clause"),
    "msgspec": ("MessagePack", "BSD 3-Clause"),
    "hdrhistogram-go": ("percentiles, in the core", "MIT"),
    "gopy": ("the extension, at build time", "BSD 3-Clause"),
}


def about_text() -> str:
    """Return the text, as HTML."""
    rows = "".join(
        f"<tr>{''.join(f'<td><nobr>{cell}&nbsp;&nbsp;</nobr></td>' for cell in (f'{name} {_version(name)}', use, licence))}</tr>"
        for name, (use, licence) in _LIBRARIES.items()
    )
    return (
        f"<h3>NanoRPC {version('nanorpc')}</h3><p><nobr>Calls between processes of one machine, through shared memory.</nobr><br>"
        f"Licence: {metadata('nanorpc')['License-Expression'] or 'MIT'}</p>"
        f"<table>{rows}</table>"
        f"<p>Qt {QT_VERSION_STR} (LGPL v3), PyQt {PYQT_VERSION_STR}, Python {platform.python_version()} (PSF), "
        f"{platform.system()} {platform.release()}</p>"
        "<p>A program that is given away together with PyQt5 is under the GPL. NanoRPC without its dashboard does not use it.</p>"
    )


class AboutBox(QMessageBox):
    """Shows it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(QMessageBox.NoIcon, "About NanoRPC", about_text(), QMessageBox.Close, parent)
        self.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
