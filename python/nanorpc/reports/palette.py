"""Colours of plots and pages, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Dash = Literal["-", "--", "-.", ":"]
"""As matplotlib names it."""


@dataclass(frozen=True)
class Series:
    """How a plot draws one of several lines: told apart by colour, marker and dashes, so also by people who see no colours."""

    colour: str
    marker: str
    """As matplotlib names it."""
    dash: Dash = "-"


@dataclass(frozen=True)
class Palette:
    """Colours, as ``#rrggbb``."""

    dark: bool
    base: str
    """Behind text, tables and plots."""
    text: str
    muted: str
    """Of text that matters less, and axes."""
    border: str
    """Also of grids."""
    good: str
    warning: str
    error: str
    hues: dict[str, str]
    """Of lines in plots."""

    def rc(self) -> Any:
        """Return matplotlib's settings in the same colours, for its ``rc_context``."""
        return {
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
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
        }


# Hues of Okabe and Ito, which colour-blind people can tell apart; on dark they are lighter. Grey is the floor, blue and green are NanoRPC.
LIGHT = Palette(
    dark=False,
    base="#ffffff",
    text="#1c2128",
    muted="#5c6570",
    border="#d5dae0",
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

DARK = Palette(
    dark=True,
    base="#22272e",
    text="#e3e7ec",
    muted="#9aa5b1",
    border="#3b444e",
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
