"""A report as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from nanorpc.compare.report.document import About, Block, Bullets, Command, Heading, Paragraph, Picture, Table
from nanorpc.compare.report.plots import PLOTS, svg
from nanorpc.compare.report.rows import Comparison
from nanorpc.reports import page
from nanorpc.reports.palette import DARK, LIGHT


def html(blocks: Iterable[Block], comparison: Comparison) -> str:
    """Return the page. The plots are drawn anew for it, light and dark."""
    blocks = list(blocks)
    title = next((block.text for block in blocks if isinstance(block, Heading)), "NanoRPC")
    return page.page(title, "\n".join(_block(block, comparison) for block in blocks))


def _block(block: Block, comparison: Comparison) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Command(text):
            return f"<pre>{escape(text)}</pre>"
        case About(lines):
            return page.about(lines)
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
        case Table(header, lines, texts):
            return page.table(header, [line.cells for line in lines], texts, [line.mark for line in lines])
        case Picture(name, description):
            plot = next(plot for plot in PLOTS if plot.name == name)
            return page.picture(svg(plot, comparison, LIGHT), svg(plot, comparison, DARK), description)
