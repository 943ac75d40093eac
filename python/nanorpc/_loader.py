"""Loads the core: the extension module that gopy makes of go/pycore."""

from __future__ import annotations

import importlib
import os
import threading
from types import ModuleType
from typing import Any

from nanorpc.errors import ForkError, NanoRPCError, exception, status_of

_lock = threading.Lock()
_core: ModuleType | None = None
forked_after_load = bytearray(1)
"""Not 0 in a process that was forked after the core was loaded. Functions in C look at it too."""


def core() -> Any:
    """Return the core, and load it the first time. Its functions are those of go/pycore, with the prefix ``pycore_``.

    Raises :class:`ForkError` in a process that was forked after the core was loaded.
    """
    check_fork()
    return _core or _load()


def check_fork() -> None:
    """Raise :class:`ForkError` in a process that was forked after the core was loaded: Go's threads did not come along."""
    if forked_after_load[0]:
        raise ForkError(
            "NanoRPC was in use when this process was forked; its core does not survive that. Connect after the fork, or use "
            'multiprocessing.get_context("spawn") or "forkserver"'
        )


def forked() -> bool:
    """Whether this process was forked after the core was loaded."""
    return bool(forked_after_load[0])


def _load() -> ModuleType:
    global _core
    with _lock:
        if _core is None:
            try:
                extension = importlib.import_module("nanorpc._core")
            except ImportError as error:
                raise NanoRPCError(f"the core of NanoRPC is not built for this Python: run pip install . in its directory ({error})") from error
            # What the generated Python module would do, less its change of directory and its hook in Python's garbage collector.
            extension.GoPyInit()
            os.register_at_fork(after_in_child=_mark_forked)
            _core = extension
        return _core


def _mark_forked() -> None:
    forked_after_load[0] = True


def checked(result: int) -> int:
    """Return a result of the core, or raise the exception that a negative one stands for."""
    if result < 0:
        raise failure(result)
    return result


def failure(result: int) -> NanoRPCError:
    """Return the exception for a negative result of the core, with its text if it has one."""
    return exception(status_of(result), core().pycore_ErrorText(result))
