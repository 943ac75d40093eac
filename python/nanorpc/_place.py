"""Where services are found."""

from __future__ import annotations

import os

Directory = str | os.PathLike[str]


def service_directory(explicit: Directory | None) -> str:
    """Return ``explicit``, else ``$NANORPC_DIR``, ``$XDG_RUNTIME_DIR/nanorpc`` or ``/tmp/nanorpc-<uid>``, as the core does.

    The core cannot do it for Python: it has the environment that the process started with, and does not see changes of ``os.environ``.
    """
    if explicit or (explicit := os.environ.get("NANORPC_DIR")):
        return os.fspath(explicit)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return os.path.join(runtime, "nanorpc")
    return f"/tmp/nanorpc-{os.geteuid()}"
