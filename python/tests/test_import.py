from __future__ import annotations

import subprocess
import sys


def test_import_loads_little() -> None:
    code = "import sys, nanorpc; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout.split())
    assert "nanorpc.client" in modules
    assert not {"PyQt5", "matplotlib", "msgspec", "numpy", "nanorpc._core"} & modules
