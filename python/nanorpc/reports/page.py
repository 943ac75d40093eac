"""Pages of HTML that need no other file, light or dark as the reader has it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from nanorpc.reports.palette import DARK, LIGHT, Palette

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
:root { color-scheme: light dark; $light }
@media (prefers-color-scheme: dark) { :root { $dark } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--base); max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.25em; margin-top: 2em; } h3 { font-size: 1.05em; margin-top: 1.5em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .8em; border-bottom: 1px solid var(--border); text-align: right; white-space: nowrap; }
th { font-weight: 600; } .text, .about td { text-align: left; white-space: normal; } .wide { overflow-x: auto; }
.ours td { font-weight: 600; } .faint td, .note { color: var(--muted); } .lost td { color: var(--error); font-weight: 600; }
img { max-width: 100%; display: block; margin: 1em 0; }
</style>
</head>
<body>
$body
</body>
</html>
""")


def page(title: str, body: str) -> str:
    """Return a page. Its body is HTML."""
    return _PAGE.substitute(title=escape(title), body=body, light=_variables(LIGHT), dark=_variables(DARK))


def _variables(palette: Palette) -> str:
    return " ".join(f"--{name}: {getattr(palette, name)};" for name in ("base", "text", "muted", "border", "error"))


def about(lines: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values."""
    return f'<table class="about">{"".join(_row((name, value)) for name, value in lines)}</table>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,), marks: Sequence[str] = ()) -> str:
    """Return a table.

    :param texts: the columns that hold text, which begins at the left; the others are figures.
    :param marks: the class of each row, see the style: ``ours``, ``faint``, ``lost`` or none.
    """
    classes = ["text" if i in texts else "" for i in range(len(header))]
    body = "\n".join(_row(row, classes, marks[i] if i < len(marks) else "") for i, row in enumerate(rows))
    return f'<div class="wide"><table><thead>{_row(header, classes, tag="th")}</thead><tbody>\n{body}\n</tbody></table></div>'


def _row(cells: Iterable[str], classes: Sequence[str] = (), mark: str = "", tag: str = "td") -> str:
    parts = [f"<{tag}{_class(classes[i] if i < len(classes) else '')}>{escape(cell)}</{tag}>" for i, cell in enumerate(cells)]
    return f"<tr{_class(mark)}>{''.join(parts)}</tr>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def picture(light: bytes, dark: bytes, description: str) -> str:
    """Return an SVG picture, and the same for readers of dark pages."""
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{_data(dark)}">'
    return f'<picture>{source}<img alt="{escape(description)}" src="{_data(light)}"></picture>'


def _data(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
