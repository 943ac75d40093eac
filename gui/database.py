"""Data bases in the user's folder."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from PyQt5.QtCore import QStandardPaths


def data_folder() -> Path:
    """Return the folder in which the dashboard keeps what it keeps."""
    return Path(QStandardPaths.writableLocation(QStandardPaths.GenericDataLocation)) / "nanorpc"


def open_database(path: Path, version: int, schema: str) -> sqlite3.Connection:
    """Open a data base, and make it where there is none. It is the user's alone: arguments of calls may be secrets.

    :param version: of the schema.
    :param schema: statements that make its tables, each with a semicolon at the end of its last line.
    :raises OSError: its folder cannot be made.
    :raises sqlite3.Error: it cannot be opened, or is none, or was made by a newer version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite gives its other files the same permissions
    # Two windows may be open: one waits for the other.
    base = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
    try:
        base.execute("PRAGMA foreign_keys = ON")
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("PRAGMA cache_size = -256")  # KiB, of 2000: what is kept here is hardly read again
        with base:
            base.execute("BEGIN IMMEDIATE")
            (found,) = base.execute("PRAGMA user_version").fetchone()
            if found > version:
                raise sqlite3.DatabaseError(f"{path} was written by a newer version of NanoRPC")
            if found == 0:
                for statement in schema.split(";\n"):
                    base.execute(statement)
                base.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        base.close()
        raise
    return base
