"""Input fields."""

from __future__ import annotations

from PyQt5.QtWidgets import QDoubleSpinBox, QSpinBox


def seconds(low: float, high: float, value: float, step: float) -> QDoubleSpinBox:
    """Return a field for a time in seconds."""
    box = QDoubleSpinBox()
    box.setDecimals(3)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    box.setSuffix(" s")
    return box


def count(high: int, value: int) -> QSpinBox:
    """Return a field for a number from 1."""
    box = QSpinBox()
    box.setRange(1, high)
    box.setValue(value)
    return box
