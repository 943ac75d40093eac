"""How the plots draw a contender: the same in all of them, NanoRPC heavier and in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nanorpc.compare.report.rows import Row
from nanorpc.reports.palette import Dash, Palette, Series

# The hue's name, as in the dashboard: grey is the floor, blue and green are NanoRPC, and nobody else.
_SHAPES: Mapping[str, tuple[str, str, Dash]] = MappingProxyType(
    {
        "limit": ("grey", "s", ":"),
        "limit-copy": ("silver", "D", ":"),
        "nanorpc": ("blue", "o", "-"),
        "nanorpc-go": ("sky", "p", "--"),
        "nanorpc-loan": ("green", "P", "-"),
        "uds": ("red", "^", "-"),
        "tcp": ("yellow", "v", "-"),
        "grpc": ("pink", "s", "-"),
        "nats": ("black", "D", "-"),
        "multiprocessing": ("yellow", "v", "-"),
        "pyzmq": ("pink", "H", "-"),
        "grpcio": ("black", "s", "-"),
        "Pyro5": ("red", "<", "--"),
        "rpyc": ("yellow", ">", "--"),
        "iceoryx2": ("pink", "X", "--"),
        "iceoryx2-wait": ("black", "d", "--"),
    }
)
_OTHER: tuple[str, str, Dash] = ("red", "*", "-.")


@dataclass(frozen=True)
class Style:
    """A contender's line and label."""

    series: Series
    width: float
    order: float
    """What is greater is in front."""
    weight: str


def style(row: Row, palette: Palette) -> Style:
    """Return how a row is drawn."""
    hue, marker, dash = _SHAPES.get(row.contender, _OTHER)
    series = Series(palette.hues[hue], marker, dash)
    return Style(series, 2.6, 4, "bold") if row.ours else Style(series, 1.2, 2 if row.floor else 3, "normal")
