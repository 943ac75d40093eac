"""Where services are found."""

from __future__ import annotations

import os
import pwd
import shlex
import stat

from nanorpc.doctor.finding import Finding, ok, problem

CHECK = "service directory"

LONGEST_SOCKET_PATH = 107
"""Bytes in the path of a Unix socket (unix(7), less the zero at its end)."""

LONGEST_NAME = 64
"""Bytes in the name of a service."""

_SUFFIX = ".sock"


def directory(path: str) -> Finding:
    """Check what servers and clients check before they use a directory: type, owner, mode. Also that a socket's path fits."""
    room = LONGEST_SOCKET_PATH - len(os.fsencode(path)) - len("/") - len(_SUFFIX)
    elsewhere = "set NANORPC_DIR to another directory for servers and clients"
    if room < 1:
        return problem(CHECK, f"{path} is too long for the path of a socket", f"{elsewhere}, with a shorter path")
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return _missing(path, elsewhere)
    except OSError as error:
        return problem(CHECK, f"{path}: {error.strerror}", elsewhere)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no directory"
        return problem(CHECK, f"{path} is {kind}", f"{elsewhere}, or remove {path}")
    if status.st_uid != os.geteuid():
        return problem(CHECK, f"{path} belongs to {_user(status.st_uid)}, not to {_user(os.geteuid())}, who runs this", elsewhere)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        shared = mode & stat.S_ISVTX  # as /tmp, which has to stay so
        remedy = f"{elsewhere}, such as {os.path.join(path, 'nanorpc')}" if shared else f"chmod 700 {shlex.quote(path)}"
        return problem(CHECK, f"{path} has mode {mode:04o}: others can write to it", remedy)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return problem(CHECK, f"{path} has mode {mode:04o}: it cannot be used", f"chmod 700 {shlex.quote(path)}")
    names = f"; names of services have up to {room} characters there" if room < LONGEST_NAME else ""
    return ok(CHECK, f"{path}, of {_user(status.st_uid)}, mode {mode:04o}{names}")


def _missing(path: str, elsewhere: str) -> Finding:
    parent = os.path.dirname(os.path.abspath(path))
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK):
        return ok(CHECK, f"{path} is not there yet: the first server makes it")
    return problem(CHECK, f"{path} is not there, and cannot be made in {parent}", f"mkdir -m 700 {shlex.quote(path)}, or {elsewhere}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
