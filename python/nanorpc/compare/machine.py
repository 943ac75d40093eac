"""What a comparison was made on, and with."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nanorpc.compare.full import Entrant

_GO_MODULES = {"google.golang.org/grpc": "grpc", "github.com/nats-io/nats.go": "nats.go", "github.com/nats-io/nats-server/v2": "nats-server"}


def machine() -> dict[str, Any]:
    """Return what the machine is. ``virtual`` is missing where it is none, as far as the CPU says."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))), platform.machine())
    virtual = any(line.startswith("flags") and "hypervisor" in line.split() for line in lines)
    return {
        "cpu": model,
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        **({"virtual": True} if virtual else {}),
    }


def versions(entrants: Sequence[Entrant], programs: str) -> dict[str, str]:
    """Return the versions of NanoRPC, of the languages, and of what the entrants need. Those in Go are in a folder
    of programs; they are known where there is a go command.
    """
    found = {"nanorpc": version("nanorpc"), "python": platform.python_version()}
    for program in dict.fromkeys(entrant.path(programs) for entrant in entrants if entrant.program):
        found |= _in_go(program)
    for name in dict.fromkeys(entrant.distribution for entrant in entrants if entrant.distribution):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _in_go(program: str) -> dict[str, str]:
    go = shutil.which("go")
    if not go:
        return {}
    done = subprocess.run([go, "version", "-m", program], capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^\tdep\t(\S+)\t(\S+)", done.stdout, re.MULTILINE))
    language = re.search(r": (?:go)?(\S+)$", done.stdout, re.MULTILINE)
    modules = {name: found[module].removeprefix("v") for module, name in _GO_MODULES.items() if module in found}
    return {**({"go": language[1]} if language else {}), **modules}
