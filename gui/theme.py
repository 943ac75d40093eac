"""Light and dark: one place for the colours and fonts of widgets and plots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from PyQt5.QtGui import QColor, QPalette
from PyQt5.QtWidgets import QApplication


@dataclass(frozen=True)
class Series:
    """How a plot draws one of several lines: told apart by colour, marker and dashes, so also by people who see no colours."""

    colour: str
    marker: str
    """As matplotlib names it."""
    dash: Literal["-", "--", "-.", ":"] = "-"
    """The same."""


# Hues of Okabe and Ito, which colour-blind people can tell apart; on dark they are lighter. Grey is the floor, blue and green are NanoRPC.
_Shape = tuple[str, str, Literal["-", "--", "-.", ":"]]

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
class Theme:
    """Colours, as ``#rrggbb``."""

    dark: bool
    window: str
    """Behind widgets."""
    base: str
    """Behind text, tables and plots."""
    alternate: str
    """Of every second row."""
    text: str
    muted: str
    """Of text that matters less, and axes."""
    border: str
    """Also of grids."""
    accent: str
    """Of what is selected, links and progress."""
    on_accent: str
    good: str
    warning: str
    error: str
    hues: dict[str, str]
    """Of lines in plots."""

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
        """Return matplotlib's settings in the same colours, for its ``rc_context``."""
        return {
            "font.family": "sans-serif",
            "font.sans-serif": [QApplication.font().family(), "DejaVu Sans"],
            "font.size": 8.5,
            "figure.facecolor": self.base,
            "savefig.facecolor": self.base,
            "axes.facecolor": self.base,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.text,
            "axes.titlecolor": self.text,
            "axes.titlesize": 9.5,
            "axes.grid": True,
            "axes.grid.which": "major",
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": self.border,
            "grid.linewidth": 0.7,
            "text.color": self.text,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.text,
            "ytick.labelcolor": self.text,
            "lines.linewidth": 1.5,
            "lines.markersize": 5.5,
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "svg.fonttype": "none",
        }


EDGED = ("QLineEdit", "QCheckBox", "QListView", "QComboBox", "QAbstractSpinBox", "QPushButton", "QToolButton", "QPlainTextEdit", "QProgressBar")
"""Widgets that are known by their edges, and paint nothing else in the window's colour."""

LIGHT = Theme(
    dark=False,
    window="#f3f4f6",
    base="#ffffff",
    alternate="#f6f8fa",
    text="#1c2128",
    muted="#5c6570",
    border="#d5dae0",
    accent="#0a66c2",
    on_accent="#ffffff",
    good="#1a7f37",
    warning="#8a5700",
    error="#b3261e",
    hues={
        "grey": "#7a7a7a",
        "silver": "#a8a8a8",
        "blue": "#0072b2",
        "sky": "#56b4e9",
        "green": "#009e73",
        "red": "#d55e00",
        "yellow": "#e69f00",
        "pink": "#cc79a7",
        "black": "#000000",
    },
)

DARK = Theme(
    dark=True,
    window="#1c2026",
    base="#22272e",
    alternate="#272d35",
    text="#e3e7ec",
    muted="#9aa5b1",
    border="#3b444e",
    accent="#3b8ee0",
    on_accent="#ffffff",
    good="#4cc38a",
    warning="#e3b341",
    error="#ff8a80",
    hues={
        "grey": "#a6a6a6",
        "silver": "#7f8790",
        "blue": "#3ea6ff",
        "sky": "#9bd8ff",
        "green": "#2fd0a0",
        "red": "#ff7a33",
        "yellow": "#f5c542",
        "pink": "#ec9fc9",
        "black": "#f4f4f4",
    },
)


def mark(label: Any, kind: str) -> None:
    """Give a label its part in the theme: see :meth:`Theme.style_sheet`."""
    label.setProperty("kind", kind)
    label.style().unpolish(label)
    label.style().polish(label)
