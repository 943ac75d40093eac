"""The core: the extension module in Go."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import warnings
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

from nanorpc._loader import check_fork, core, forked
from nanorpc.doctor.finding import Finding, ok, problem
from nanorpc.errors import ForkError, NanoRPCError


def build() -> Finding:
    """Load the core, and say for which Python and machine it was built."""
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    again = f"in NanoRPC's directory: {sys.executable} -m pip install ."
    spec = find_spec("nanorpc._core")
    if spec is None or spec.origin is None:
        others = sorted(path.name for place in _package() for path in Path(place).glob("_core.*.so"))
        found = f"built for another Python than this {python}: {', '.join(others)}" if others else "it is not built"
        return problem("extension", found, again)
    try:
        core()
    except ForkError as error:
        return problem("extension", str(error), "run this in a process of its own")
    except NanoRPCError as error:
        return problem("extension", str(error), again)
    name = Path(spec.origin).name
    tag = next((suffix for suffix in EXTENSION_SUFFIXES if name.endswith(suffix)), "").removesuffix(".so").lstrip(".")
    return ok("extension", f"loads in {python}; built as {tag or name} in {os.path.dirname(spec.origin)}")


def fork() -> Finding:
    """Check, with a child, that a process forked after the core was loaded is told so, and does not hang in it."""
    if forked():
        return problem("fork", "the core was loaded before this process was forked", "connect after the fork, or start processes with spawn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what is tried here
        child = os.fork()
    if child == 0:
        os._exit(0 if _refused() else 1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        return problem("fork", "a process forked after the core was loaded does not notice", "start processes with spawn")
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    advice = ": connect after the fork, or use spawn" if method == "fork" else ""
    return ok("fork", f"a child of a process that uses the core is refused; multiprocessing uses {method}{advice}")


def _refused() -> bool:
    try:
        check_fork()
    except ForkError:
        return True
    return False


def _package() -> list[str]:
    import nanorpc

    return list(nanorpc.__path__)
