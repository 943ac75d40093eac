"""Draws results of ``./benchmark -json`` as a PNG: ``python -m nanorpc.plot RESULTS.jsonl OUT.png``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nanorpc.reports.palette import LIGHT
from nanorpc.units import size_text, time_text

COLOURS = {
    "limit": LIGHT.hues["grey"],
    "limit-copy": LIGHT.hues["silver"],
    "nanorpc": LIGHT.hues["blue"],
    "nanorpc-loan": LIGHT.hues["sky"],
    "nanorpc-batch": LIGHT.hues["green"],
    "uds": LIGHT.hues["red"],
    "uds-batch": LIGHT.hues["yellow"],
}
_OTHERS = [LIGHT.hues["pink"], "#f0e442", LIGHT.hues["black"]]


def colour(transport: str) -> str:
    """Return the colour of a transport, the same in every plot."""
    return COLOURS.get(transport) or _OTHERS[sum(transport.encode()) % len(_OTHERS)]


def read(path: Path) -> list[dict[str, Any]]:
    """Return the cases in a file of JSON lines. Raises ValueError for a file that holds something else."""
    cases = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    if not cases or not all(isinstance(case, dict) and {"transport", "size_bytes", "p50_ns"} <= set(case) for case in cases):
        raise ValueError(f"{path} holds no results of ./benchmark -json")
    return cases


def draw(cases: list[dict[str, Any]], path: Path) -> None:
    """Draw round-trip times against payload size, and the rate at the smallest size, into a PNG file."""
    from matplotlib.figure import Figure  # slow to import, and not pyplot, which wants a display

    figure = Figure(figsize=(10, 4.5), dpi=120, layout="constrained")
    lines, bars = figure.subplots(1, 2, width_ratios=[3, 2])
    transports = list(dict.fromkeys(case["transport"] for case in cases))
    for transport in transports:
        of_transport = sorted((case for case in cases if case["transport"] == transport), key=lambda case: case["size_bytes"])
        sizes = [max(case["size_bytes"], 1) for case in of_transport]
        lines.plot(sizes, [case["p50_ns"] / 1e3 for case in of_transport], "o-", color=colour(transport), label=transport)
        low = [case.get("p50_low_ns", case["p50_ns"]) / 1e3 for case in of_transport]
        high = [case.get("p50_high_ns", case["p50_ns"]) / 1e3 for case in of_transport]
        lines.fill_between(sizes, low, high, color=colour(transport), alpha=0.15, linewidth=0)
    lines.set_xscale("log", base=2)
    lines.set_yscale("log")
    lines.xaxis.set_major_formatter(lambda size, _: size_text(size))
    lines.yaxis.set_major_formatter(lambda us, _: time_text(us * 1e3))
    lines.set(xlabel="payload", ylabel="round trip, p50", title="Round trip against payload size")
    lines.grid(True, which="major", alpha=0.3)
    lines.legend(title="band: p50 of the rounds", title_fontsize="small")

    smallest = min(case["size_bytes"] for case in cases)
    rates = {case["transport"]: case.get("calls_per_s", 1e9 / case["p50_ns"]) / 1e6 for case in cases if case["size_bytes"] == smallest}
    drawn = bars.bar(list(rates), list(rates.values()), color=[colour(transport) for transport in rates])
    bars.bar_label(drawn, fmt="%.3g")
    bars.set(ylabel="million calls a second", title=f"Rate at {size_text(smallest)}")
    bars.margins(y=0.12)
    for axes in (lines, bars):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nanorpc.plot", description="Draw results of ./benchmark -json as a PNG.")
    parser.add_argument("results", type=Path, help="file of JSON lines")
    parser.add_argument("output", type=Path, help="the PNG file to write")
    options = parser.parse_args()
    try:
        draw(read(options.results), options.output)
    except (OSError, ValueError) as error:
        print(f"plot: {error}", file=sys.stderr)
        return 1
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
