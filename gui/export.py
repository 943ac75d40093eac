"""Results as files: JSON lines as ``./benchmark -json`` prints them, or CSV with the same columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from nanorpc.bench import Case


def write_json(cases: Sequence[Case], path: Path) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(case.as_dict()) + "\n" for case in cases))


def write_csv(cases: Sequence[Case], path: Path) -> None:
    """Write a header and one line for each case."""
    columns = list(dict.fromkeys(key for case in cases for key in case.as_dict()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(case.as_dict() for case in cases)
