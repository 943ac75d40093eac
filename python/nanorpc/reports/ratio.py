"""How many times as long one takes as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """A ratio of two figures, each round's with the same round's, as the machine's mood is much the same in one round."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The median of the rounds, and their spread."""
        return f"{number_text(self.value)}  ({number_text(self.low, 2)} – {number_text(self.high, 2)})"


def number_text(value: float, digits: int = 3) -> str:
    """Return a ratio in few characters."""
    if value >= 10:
        return f"{value:.0f}" if value >= 100 else f"{value:.{digits}g}"
    if value < 0.1:
        return f"{value:.2f}" if value >= 0.005 else "<0.01"
    return f"{value:.{digits}g}"


def ratio(slower: Sequence[float], faster: Sequence[float]) -> Ratio | None:
    """Return how many times as great the rounds of one are; None if there is nothing to compare."""
    pairs = [(a, b) for a, b in zip(slower, faster, strict=False) if a > 0 and b > 0]
    if not pairs:
        return None
    values = [a / b for a, b in pairs]
    return Ratio(median(values), min(values), max(values))
