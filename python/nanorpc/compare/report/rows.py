"""What results.jsonl holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nanorpc.units import size_text

IDLE = "idle"
LANGUAGES = ("Go", "Python")
_FLOORS = ("limit", "limit-copy")
_OURS = ("nanorpc", "nanorpc-go", "nanorpc-loan")
_BUSY = ("iceoryx2",)  # peers that poll shared memory, and never enter the kernel


@dataclass(frozen=True)
class Group:
    """What rows must share to be compared."""

    case: str
    size_bytes: int
    clients: int
    inflight: int
    rate: float

    @property
    def text(self) -> str:
        """It in a few words."""
        texts = {
            "echo": size_text(self.size_bytes),
            "inflight": f"{size_text(self.size_bytes)}, {self.inflight} in flight",
            "clients": f"{size_text(self.size_bytes)}, {self.clients} client processes",
            "rate": f"{size_text(self.size_bytes)}, {self.rate:,.0f} calls/s",
            "typed": "typed call",
            "array": f"array of {size_text(self.size_bytes)}",
        }
        return texts.get(self.case, f"{self.case}, {size_text(self.size_bytes)}")


class Row(msgspec.Struct, frozen=True):
    """What a contender came to in one case, at one size. Times are in ns; they and the rates are medians of the rounds. 0: not measured."""

    case: str
    contender: str
    language: str
    size_bytes: int = 0
    clients: int = 1
    inflight: int = 1
    rate: float = 0
    calls: int = 0
    errors: int = 0
    first_error: str = ""
    rounds: int = 0
    mean_ns: float = 0
    p50_ns: float = 0
    p50_low_ns: float = 0
    p50_high_ns: float = 0
    p99_ns: float = 0
    p999_ns: float = 0
    calls_per_s: float = 0
    client_cpu_ns: float | None = None
    """For each call."""
    server_cpu_ns: float | None = None
    distribution: list[tuple[int, int]] = []
    """Pairs, ascending: a time, and how many calls took at most that and longer than the pair before."""
    round_p50_ns: list[float] = []
    server_cpu_share: float | None = None
    """Of one CPU, in the case ``idle``."""
    clients_cpu_share: float | None = None
    """Of all clients together."""

    @property
    def group(self) -> Group:
        """With which rows it can be compared."""
        return Group(self.case, self.size_bytes, self.clients, self.inflight, self.rate)

    @property
    def floor(self) -> bool:
        """Whether it is no RPC, but the least that two processes need."""
        return self.contender in _FLOORS

    @property
    def ours(self) -> bool:
        """Whether it is NanoRPC."""
        return self.contender in _OURS

    @property
    def peer(self) -> bool:
        """Whether it is what people would use instead."""
        return not (self.floor or self.ours)

    @property
    def kernel(self) -> bool:
        """Whether it is a peer whose calls go through the kernel."""
        return self.peer and self.contender not in _BUSY

    @property
    def cpu_ns(self) -> float | None:
        """CPU time of client and server for each call."""
        if self.client_cpu_ns is None or self.server_cpu_ns is None:
            return None
        return self.client_cpu_ns + self.server_cpu_ns

    @property
    def idle_share(self) -> float | None:
        """Of one CPU, the server and all clients together."""
        if self.server_cpu_share is None or self.clients_cpu_share is None:
            return None
        return self.server_cpu_share + self.clients_cpu_share

    @property
    def measured(self) -> bool:
        """Whether there is anything to say of it."""
        return self.idle_share is not None if self.case == IDLE else min(self.calls, self.p50_ns, self.calls_per_s) > 0

    @property
    def kept_rate(self) -> bool:
        """Whether it made as many calls as it should have: what falls behind further and further has no latency to speak of."""
        return self.calls_per_s >= 0.95 * self.rate


@dataclass(frozen=True)
class Comparison:
    """A run, or as much of it as there is."""

    about: dict[str, Any]
    """The first line: machine, versions, command, date, rounds, duration, and who was left out of what."""
    rows: Sequence[Row]
    """What was measured, in the order of the file."""
    failed: Sequence[Row]
    """What could not be."""
    cut: bool
    """Whether the last line is not whole."""

    def of(self, case: str, language: str) -> list[Row]:
        """Return the rows of a case in a language, and the floor, whose language says nothing."""
        return [row for row in self.rows if row.case == case and (row.language == language or row.floor)]

    def languages(self, case: str | None = None) -> list[str]:
        """Return the languages of the contenders of a case, or of all, known ones first."""
        found = {row.language for row in self.rows if not row.floor and case in (None, row.case)}
        return [language for language in LANGUAGES if language in found] + sorted(found - {*LANGUAGES})

    def groups(self, cases: Iterable[str], language: str) -> dict[Group, list[Row]]:
        """Return the rows of some cases in a language that can be compared, by what they share."""
        groups: dict[Group, list[Row]] = {}
        for case in cases:
            for row in sorted(self.of(case, language), key=lambda row: (row.size_bytes, row.rate, row.inflight, row.clients)):
                groups.setdefault(row.group, []).append(row)
        return {group: rows for group, rows in groups.items() if not all(row.floor for row in rows)}


def reference(rows: Iterable[Row], language: str) -> Row | None:
    """Return the row of NanoRPC with which others are compared: ordinary calls, with the language at both ends, if those were measured."""
    ours = {row.contender: row for row in rows if row.ours and row.language == language}
    return next((ours[name] for name in _OURS if name in ours), None)


def read(path: Path) -> Comparison:
    """Return what a file of JSON lines holds. A contender that is measured twice is as it was the last time.

    :raises ValueError: it holds no rows, or a line other than the last is something else.
    """
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    about: dict[str, Any] = {}
    rows: dict[tuple[str, str, Group], Row] = {}
    cut = False
    for i, line in enumerate(lines):
        try:
            if i == 0 and "contender" not in (first := msgspec.json.decode(line, type=dict[str, Any])):
                about = first
                continue
            row = msgspec.json.decode(line, type=Row)
        except msgspec.DecodeError as error:
            if i < len(lines) - 1 or i == 0:
                raise ValueError(f"{path}, line {i + 1}, is no row of a comparison: {error}") from None
            cut = True
            continue
        rows[row.language, row.contender, row.group] = row
    if not rows:
        raise ValueError(f"{path} holds no rows of a comparison")
    return Comparison(about, [row for row in rows.values() if row.measured], [row for row in rows.values() if not row.measured], cut)
