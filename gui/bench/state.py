"""What the benchmark's settings are remembered as."""

from __future__ import annotations

import json

from PyQt5.QtCore import QSettings

from nanorpc.gui.bench.options import OptionsPanel
from nanorpc.gui.bench.plan import Plan


def save_plan(settings: QSettings, options: OptionsPanel) -> None:
    """Write down what is set, if it can be run."""
    try:
        settings.setValue("plan", json.dumps(options.plan().as_dict()))
    except ValueError:
        return  # the last that could


def load_plan(settings: QSettings, options: OptionsPanel) -> None:
    """Set what has been written down; nothing if there is nothing, or if it is not ours."""
    try:
        options.show_plan(Plan.from_dict(json.loads(str(settings.value("plan", "{}")))))
    except (ValueError, TypeError, AttributeError):
        return
