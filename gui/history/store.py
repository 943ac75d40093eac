"""Every run, in a data base in the user's folder. Used by one thread."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nanorpc.bench import Case
from nanorpc.gui.bench.plan import Plan
from nanorpc.gui.database import data_folder, open_database
from nanorpc.gui.record import Record

_VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started TEXT NOT NULL,
    seconds REAL NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    machine TEXT NOT NULL, -- JSON, as the rest that is not asked for by its parts
    plan TEXT NOT NULL
);
CREATE TABLE cases (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    figures TEXT NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
"""


def data_file() -> Path:
    """Return where the user's data base is."""
    return data_folder() / "benchmarks.sqlite3"


class Store:
    """The data base. Every method may wait for the disk.

    :raises OSError: its folder cannot be made.
    :raises sqlite3.Error: it cannot be opened, or is none, or was made by a newer version. So do all methods.
    """

    def __init__(self, path: Path) -> None:
        self._base = open_database(path, _VERSION, _SCHEMA)

    def add(self, record: Record) -> Record:
        """Keep a run, and return it with its number."""
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            row = self._base.execute(
                "INSERT INTO runs (started, seconds, state, note, machine, plan) VALUES (?, ?, ?, ?, ?, ?)",
                (record.started, record.seconds, record.state, record.note, json.dumps(record.machine), json.dumps(record.plan.as_dict())),
            )
            figures = ((row.lastrowid, place, json.dumps(vars(case))) for place, case in enumerate(record.cases))
            self._base.executemany("INSERT INTO cases (run, place, figures) VALUES (?, ?, ?)", figures)
        return replace(record, id=row.lastrowid)

    def all(self) -> list[Record]:
        """Return all runs, the newest first, with their figures but without distributions, which are most of it."""
        # The functions of SQLite that take JSON apart do it much faster than Python.
        figures: dict[int, list[Case]] = {}
        for run, text in self._base.execute("SELECT run, json_remove(figures, '$.distribution') FROM cases ORDER BY run, place"):
            figures.setdefault(run, []).append(Case(**json.loads(text)))
        return [_record(row, figures.get(row[0], [])) for row in self._base.execute("SELECT * FROM runs ORDER BY started DESC, id DESC")]

    def load(self, id_: int) -> Record:
        """Return a run with all its figures.

        :raises KeyError: there is none, perhaps any more.
        """
        row = self._base.execute("SELECT * FROM runs WHERE id = ?", (id_,)).fetchone()
        if row is None:
            raise KeyError(f"there is no run {id_} any more")
        texts = self._base.execute("SELECT figures FROM cases WHERE run = ? ORDER BY place", (id_,))
        return _record(row, [Case(**json.loads(text)) for (text,) in texts])

    def note(self, id_: int, text: str) -> None:
        """Set the note of a run."""
        self._base.execute("UPDATE runs SET note = ? WHERE id = ?", (text, id_))

    def delete(self, ids: Iterable[int]) -> None:
        """Delete runs."""
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany("DELETE FROM runs WHERE id = ?", [(id_,) for id_ in ids])

    def close(self) -> None:
        """Close it."""
        self._base.close()


def _record(row: Sequence[object], cases: list[Case]) -> Record:
    id_, started, seconds, state, note, machine, plan = row
    assert isinstance(id_, int)
    assert isinstance(seconds, float)
    plan_ = Plan.from_dict(json.loads(str(plan)))
    return Record(plan_, tuple(cases), str(started), seconds, str(state), json.loads(str(machine)), str(note), id_)
