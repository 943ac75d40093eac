"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nanorpc.compare.report.document import About, Block, Bullets, Command, Heading, Line, Paragraph, Picture, Table

_SPECIAL = re.compile(r"([\\`*_<>|\[\]#])")


def markdown(blocks: Iterable[Block]) -> str:
    """Return the report. Its pictures are files beside it."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_escape(text)}"
        case Paragraph(text):
            return _escape(text)
        case Command(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case About(lines):
            return "\n".join(f"- {_escape(name)}: {_escape(value)}" for name, value in lines)
        case Bullets(items):
            return "\n".join(f"- {_escape(item)}" for item in items)
        case Table():
            return _table(block)
        case Picture(name, description):
            return f"![{_escape(description)}]({name}.png)"


def _table(table: Table) -> str:
    rules = [":--" if i in table.texts else "--:" for i in range(len(table.header))]
    return "\n".join([_line([_escape(cell) for cell in table.header]), _line(rules), *(_line(_cells(line, table.texts)) for line in table.lines)])


def _cells(line: Line, texts: Sequence[int]) -> list[str]:
    cells = [_escape(cell) for cell in line.cells]
    return [f"**{cell}**" if cell and i in texts and line.mark == "ours" else cell for i, cell in enumerate(cells)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
