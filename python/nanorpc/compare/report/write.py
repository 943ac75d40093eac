"""Writes the files of a report."""

from __future__ import annotations

from pathlib import Path

from nanorpc.compare.report.content import content
from nanorpc.compare.report.html import html
from nanorpc.compare.report.markdown import markdown
from nanorpc.compare.report.plots import PLOTS, png
from nanorpc.compare.report.rows import read


def write(results: Path, directory: Path) -> list[Path]:
    """Write report.md, report.html and the plots, and return their paths. The directory is made if it is not there.

    What could be measured is reported: rows may be missing, and the last line may be cut off.

    :raises ValueError: the file holds no rows of a comparison.
    :raises OSError: it cannot be read, or the report cannot be written.
    """
    comparison = read(results)
    directory.mkdir(parents=True, exist_ok=True)
    pictures = []
    for plot in PLOTS:
        path = directory / f"{plot.name}.png"
        if plot.has(comparison):
            path.write_bytes(png(plot, comparison))
            pictures.append(path)
        else:
            path.unlink(missing_ok=True)  # of another run
    blocks = content(comparison)
    page, text = directory / "report.html", directory / "report.md"
    text.write_text(markdown(blocks))
    page.write_text(html(blocks, comparison))
    return [text, page, *pictures]
