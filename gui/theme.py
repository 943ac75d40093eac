"""Light and dark: one place for the colours and fonts of widgets and plots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PyQt5.QtGui import QColor, QPalette
from PyQt5.QtWidgets import QApplication

from nanorpc.reports import palette
from nanorpc.reports.palette import Dash, Palette, Series

_Shape = tuple[str, str, Dash]  # the hue's name

_SHAPES: dict[str, _Shape] = {
    "limit": ("grey", "s", ":"),
    "limit-copy": ("silver", "D", ":"),
    "nanorpc": ("blue", "o", "-"),
    "nanorpc-busy": ("yellow", "h", "-"),
    "nanorpc-none": ("sky", "d", "--"),
    "nanorpc-loan": ("green", "P", "-"),
    "nanorpc-batch": ("pink", "X", "-"),
    "uds": ("red", "^", "-"),
    "uds-batch": ("black", "v", "--"),
    "py nanorpc": ("green", "*", "--"),
    "py nanorpc-python": ("blue", "p", "-."),
    "py nanorpc-aio": ("sky", "8", "-."),
    "py uds": ("pink", "<", "-"),
    "py multiprocessing": ("yellow", ">", "-"),
    "py pyzmq": ("pink", "H", "--"),
    "py grpcio": ("red", "1", "-."),
    "py grpc.aio": ("yellow", "2", "-."),
}
_OTHERS: tuple[_Shape, ...] = (
    ("yellow", ">", "-"),
    ("pink", "8", "--"),
    ("red", "H", "--"),
    ("black", "1", "-."),
    ("green", "2", "-."),
    ("sky", "3", "-."),
    ("yellow", "4", "-."),
    ("pink", "+", ":"),
)


@dataclass(frozen=True)
class Theme(Palette):
    """Colours, as ``#rrggbb``, also of widgets."""

    window: str
    """Behind widgets."""
    alternate: str
    """Of every second row."""
    accent: str
    """Of what is selected, links and progress."""
    on_accent: str

    @property
    def name(self) -> str:
        """``light`` or ``dark``."""
        return "dark" if self.dark else "light"

    def series(self, names: Iterable[str]) -> dict[str, Series]:
        """Return how each of these is drawn. Transports look the same in all plots; the rest take what is left, in their order."""
        names = list(dict.fromkeys(names))
        others = [name for name in names if name not in _SHAPES]
        shapes = dict(_SHAPES) | {name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(others)}
        return {name: Series(self.hues[shapes[name][0]], shapes[name][1], shapes[name][2]) for name in names}

    def palette(self) -> QPalette:
        """Return the palette of the widgets."""
        palette = QPalette()
        for roles, colour in (
            ((QPalette.Window, QPalette.Button), self.window),
            ((QPalette.Base, QPalette.ToolTipBase), self.base),
            ((QPalette.AlternateBase,), self.alternate),
            ((QPalette.WindowText, QPalette.Text, QPalette.ButtonText, QPalette.ToolTipText), self.text),
            ((QPalette.Highlight, QPalette.Link), self.accent),
            ((QPalette.HighlightedText, QPalette.BrightText), self.on_accent),
        ):
            for role in roles:
                palette.setColor(role, QColor(colour))
        for role in (QPalette.WindowText, QPalette.Text, QPalette.ButtonText):
            palette.setColor(QPalette.Disabled, role, QColor(self.muted))
        palette.setColor(QPalette.Disabled, QPalette.Highlight, QColor(self.border))
        palette.setColor(QPalette.PlaceholderText, QColor(self.muted))
        # Fusion draws its edges in these.
        window = QColor(self.window)
        for role, lighter in ((QPalette.Light, 130), (QPalette.Midlight, 115), (QPalette.Mid, 85), (QPalette.Dark, 70), (QPalette.Shadow, 45)):
            palette.setColor(role, window.lighter(lighter))
        return palette

    def edged_palette(self) -> QPalette:
        """Return the palette of :data:`EDGED`: Fusion draws their edges in a shade of the window's colour that cannot be seen on dark."""
        palette = self.palette()
        if self.dark:
            palette.setColor(QPalette.Window, QColor(self.muted))
        return palette

    def style_sheet(self) -> str:
        """Return what a palette cannot say. A label's part is its property ``kind``: ``heading``, ``muted``, ``error``, ``warning``, ``good``."""
        return f"""
            QToolTip {{ color: {self.text}; background: {self.base}; border: 1px solid {self.border}; padding: 3px; }}
            QLabel[kind="heading"] {{ font-weight: bold; }}
            QLabel[kind="muted"] {{ color: {self.muted}; }}
            QLabel[kind="error"] {{ color: {self.error}; }}
            QLabel[kind="warning"] {{ color: {self.warning}; }}
            QLabel[kind="good"] {{ color: {self.good}; }}
        """

    def rc(self) -> Any:
        """Return matplotlib's settings, with the font of the widgets."""
        return super().rc() | {"font.sans-serif": [QApplication.font().family(), "DejaVu Sans"], "svg.fonttype": "none"}


EDGED = ("QLineEdit", "QCheckBox", "QListView", "QComboBox", "QAbstractSpinBox", "QPushButton", "QToolButton", "QPlainTextEdit", "QProgressBar")
"""Widgets that are known by their edges, and paint nothing else in the window's colour."""

LIGHT = Theme(**vars(palette.LIGHT), window="#f3f4f6", alternate="#f6f8fa", accent="#0a66c2", on_accent="#ffffff")
DARK = Theme(**vars(palette.DARK), window="#1c2026", alternate="#272d35", accent="#3b8ee0", on_accent="#ffffff")


def mark(label: Any, kind: str) -> None:
    """Give a label its part in the theme: see :meth:`Theme.style_sheet`."""
    label.setProperty("kind", kind)
    label.style().unpolish(label)
    label.style().polish(label)
