"""Draws the report of a comparison again: ``python -m nanorpc.compare.report RESULTS.jsonl DIRECTORY``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nanorpc.compare.report.write import write


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nanorpc.compare.report", description="Write the report of a comparison.")
    parser.add_argument("results", type=Path, metavar="RESULTS.jsonl", help="what python -m nanorpc.compare has measured")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="where report.md, report.html and *.png go")
    options = parser.parse_args()
    try:
        written = write(options.results, options.directory)
    except (OSError, ValueError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    for path in written:
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
