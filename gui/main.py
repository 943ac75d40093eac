"""Opens the dashboard: ``python -m nanorpc.gui``, or ``python3 gui/main.py`` where NanoRPC is installed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

_SCREENS = ("benchmark", "results", "history", "servers", "call")
_DISPLAYLESS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the window until it is closed. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="nanorpc-gui", description="NanoRPC's dashboard: benchmarks, and calls of running services.")
    parser.add_argument(
        "--directory", help="where services are found (default: $NANORPC_DIR, else $XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>)"
    )
    parser.add_argument(
        "--screen", choices=("benchmark", "results", "history", "servers", "call"), help="the screen to open with (default: the last)"
    )
    options = parser.parse_args(arguments)

    missing = _missing_display()
    if missing:
        print(f"nanorpc-gui: {missing}", file=sys.stderr)
        return 1
    try:
        from nanorpc.gui.app import run
    except ModuleNotFoundError as error:
        print(f"nanorpc-gui: {error}. Install NanoRPC and what it needs: pip install . in its directory", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"nanorpc-gui: a library that Qt needs is missing: {error}. On Debian and Ubuntu: make setup", file=sys.stderr)
        return 1
    return run(options.directory, options.screen)


def _missing_display() -> str:
    """Return what to do if Qt would abort for want of a display, else an empty string."""
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if platform in _DISPLAYLESS or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    display = os.environ.get("DISPLAY")
    if not display:
        return "there is no display: DISPLAY and WAYLAND_DISPLAY are not set. Log in to a desktop, use ssh -X, or xvfb-run -a python -m nanorpc.gui"
    if not _answers(display):
        return f"the display {display!r} does not answer: check DISPLAY and your permission to use it (xauth), or use xvfb-run -a"
    return ""


def _answers(display: str) -> bool:
    """Whether Qt can open a window there. Qt aborts the process where it cannot, so a process of its own tries."""
    import subprocess

    probe = "import sys; from PyQt5.QtGui import QGuiApplication; QGuiApplication(sys.argv[:1])"
    result = subprocess.run([sys.executable, "-c", probe], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=30, check=False)
    return result.returncode in (0, 1)  # 1: no PyQt5, which is reported later; a signal: Qt's abort


if __name__ == "__main__":
    sys.exit(main())
