"""Results as files. Writing takes a moment: it is for a thread."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nanorpc.gui.plots import Chart, Frame
from nanorpc.gui.record import record_dict
from nanorpc.gui.results.charts import AgainstSize, Percentiles, ResultsCharts, ResultsView, Throughput
from nanorpc.gui.results.ratios import rows
from nanorpc.gui.results.report import report
from nanorpc.gui.theme import DARK, LIGHT, Theme
from nanorpc.reports.ratio import Ratio

_WIDTH, _HEIGHT = 1500, 460
_REPORT_WIDTH, _REPORT_HEIGHT = 760, 400


def write(view: ResultsView, theme: Theme, path: Path) -> None:
    """Write results in the format that the name's ending says, one of :data:`FORMATS`.

    :raises ValueError: it is another, with a text for the user.
    :raises OSError: it cannot be written.
    """
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise ValueError(f"“{path.name}” says no format: use a name that ends in {', '.join(FORMATS)}")
    format_[1](view, theme, path)


def write_plots(view: ResultsView, theme: Theme, path: Path) -> None:
    """Write all plots as one picture."""
    figure = ResultsCharts([Percentiles(), AgainstSize(), Throughput()])
    figure.save(view, Frame(theme, _WIDTH, _HEIGHT), str(path), path.suffix[1:].lower())


def write_csv(view: ResultsView, theme: Theme, path: Path) -> None:
    """Write a header, and a line for each case, with the columns of ``./benchmark -json`` and the ratios."""
    lines = [row.case.as_dict() | _ratio("to_uds", row.to_uds) | _ratio("to_floor", row.to_floor) for row in rows(view.run, None)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for line in lines for key in line)))
        writer.writeheader()
        writer.writerows(lines)


def _ratio(name: str, ratio: Ratio | None) -> dict[str, Any]:
    if ratio is None:
        return {}
    return {name: round(ratio.value, 4), f"{name}_low": round(ratio.low, 4), f"{name}_high": round(ratio.high, 4)}


def write_json(view: ResultsView, theme: Theme, path: Path) -> None:
    """Write one object with the settings, the machine, and all cases with their distributions."""
    path.write_text(json.dumps(record_dict(view.run), indent=1, ensure_ascii=False) + "\n")


def write_html(view: ResultsView, theme: Theme, path: Path) -> None:
    """Write a page that needs no other file."""
    pictures = [(_svg(view, chart, LIGHT), _svg(view, chart, DARK)) for chart in (Percentiles, AgainstSize, Throughput)]
    path.write_text(report(view, pictures))


def _svg(view: ResultsView, chart: type[Chart[ResultsView]], theme: Theme) -> bytes:
    target = BytesIO()
    ResultsCharts([chart()]).save(view, Frame(theme, _REPORT_WIDTH, _REPORT_HEIGHT), target, "svg")
    return target.getvalue()


FORMATS: Mapping[str, tuple[str, Callable[[ResultsView, Theme, Path], None]]] = MappingProxyType(
    {
        ".html": ("Report as one page", write_html),
        ".png": ("Plots as a picture", write_plots),
        ".svg": ("Plots as a drawing", write_plots),
        ".csv": ("Table", write_csv),
        ".json": ("Everything that was measured", write_json),
    }
)
"""What can be written, by the ending of the name."""
