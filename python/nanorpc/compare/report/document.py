"""What a report consists of, before it is Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command line."""

    text: str


@dataclass(frozen=True)
class About:
    """Names and values."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    cells: Sequence[str]
    mark: str = ""
    """``ours``, ``faint``, ``lost`` or none."""


@dataclass(frozen=True)
class Table:
    """A table."""

    header: Sequence[str]
    lines: Sequence[Line]
    texts: Sequence[int] = field(default=(0,))
    """The columns that hold text; the others hold figures."""


@dataclass(frozen=True)
class Picture:
    """A plot, by its name."""

    name: str
    description: str


Block = Heading | Paragraph | Command | About | Bullets | Table | Picture
