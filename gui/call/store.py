"""The calls that have been made, in a data base beside that of the runs. Used by one thread."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nanorpc.gui.call.history import MOST, Entry
from nanorpc.gui.call.request import Call
from nanorpc.gui.database import data_folder, open_database

_VERSION = 1
_SCHEMA = """
CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    took_ns REAL,
    dropped INTEGER NOT NULL, -- characters of a payload that was too long to be kept
    call TEXT NOT NULL -- JSON
);
"""


def calls_file() -> Path:
    """Return where the user's data base is."""
    return data_folder() / "calls.sqlite3"


class CallStore:
    """The data base. Every method may wait for the disk.

    :raises OSError: its folder cannot be made.
    :raises sqlite3.Error: it cannot be opened, or is none, or was made by a newer version. So do all methods.
    """

    def __init__(self, path: Path) -> None:
        self._base = open_database(path, _VERSION, _SCHEMA)
        self._base.execute("PRAGMA secure_delete = ON")  # what is cleared is gone

    def add(self, entry: Entry) -> None:
        """Keep a call, and forget those that are too many."""
        row = (entry.at, entry.outcome, entry.took_ns, entry.dropped, msgspec.json.encode(entry.call).decode())
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute("INSERT INTO calls (at, outcome, took_ns, dropped, call) VALUES (?, ?, ?, ?, ?)", row)
            self._base.execute("DELETE FROM calls WHERE id NOT IN (SELECT id FROM calls ORDER BY id DESC LIMIT ?)", (MOST,))

    def all(self) -> list[Entry]:
        """Return all calls, the newest first."""
        entries = []
        for at, outcome, took_ns, dropped, text in self._base.execute("SELECT at, outcome, took_ns, dropped, call FROM calls ORDER BY id DESC"):
            try:
                call = msgspec.json.decode(text, type=Call)
            except msgspec.MsgspecError:  # of another version
                continue
            entries.append(Entry(call, outcome, took_ns, at, dropped))
        return entries

    def clear(self) -> None:
        """Forget all calls."""
        self._base.execute("DELETE FROM calls")
        self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else they would stay in the log for a while

    def close(self) -> None:
        """Close it."""
        self._base.close()
