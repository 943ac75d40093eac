from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nanorpc.bench import Config, Run
from nanorpc.compare.report import write
from nanorpc.compare.report.bars import bars
from nanorpc.compare.report.content import content
from nanorpc.compare.report.labels import spread
from nanorpc.compare.report.markdown import markdown
from nanorpc.compare.report.rows import read
from nanorpc.units import size_text, time_text

Rows = list[dict[str, Any]]

ABOUT = {
    "machine": {"cpu": "Chip", "cpus": 2, "kernel": "Linux 6.1", "memory_bytes": 8 << 30, "virtual": True},
    "versions": {"nanorpc": "0.1.0", "go": "1.26", "python": "3.11", "pyzmq": "26.0"},
    "command": "python -m nanorpc.compare --rounds 3",
    "date": "2025-03-04T10:11:12+00:00",
    "rounds": 3,
    "duration_s": 0.5,
    "absent": [{"case": "typed", "contender": "pyzmq", "language": "Python", "reason": "it carries bytes"}],
}
GO = {"limit-copy": 0.7, "nanorpc": 1, "nanorpc-loan": 1, "uds": 60, "grpc": 300}
PYTHON = {"nanorpc": 4, "nanorpc-go": 3, "nanorpc-loan": 5, "uds": 120, "pyzmq": 400, "iceoryx2": 6}
SIZES = (64, 4096, 1 << 20, 16 << 20)


def result(case: str, contender: str, language: str, p50: float, **more: Any) -> dict[str, Any]:
    """A row of contract, of 99 calls at this time and one at ten times that, with twice as much CPU."""
    p50 = float(p50)
    size = {"typed": 0, "array": 8 << 20}.get(case, 64)
    figures = {"size_bytes": size, "clients": 8 if case == "clients" else 1, "inflight": 64 if case == "inflight" else 1, "rate": 0}
    figures |= {"calls": 100, "errors": 0, "rounds": 3, "mean_ns": p50, "p50_ns": p50, "p50_low_ns": p50 * 0.9, "p50_high_ns": p50 * 1.1}
    figures |= {"p99_ns": p50 * 2, "p999_ns": p50 * 10, "calls_per_s": 1e9 / p50, "client_cpu_ns": p50, "server_cpu_ns": p50}
    figures |= {"distribution": [[int(p50), 99], [int(p50 * 10), 1]], "round_p50_ns": [p50 * 0.9, p50, p50 * 1.1]}
    return {"case": case, "contender": contender, "language": language, **figures, **more}


def complete() -> Rows:
    """Rows of all cases that meet all bars. NanoRPC takes a µs in Go and four in Python, and as long as the floor and a bit to copy."""
    rows = []
    for language, contenders in (("Go", GO), ("Python", PYTHON)):
        for name, factor in contenders.items():
            copies = 0 if name in ("nanorpc-loan", "iceoryx2") else 1
            for size in SIZES:
                copying = size * (0.1 if name == "limit-copy" else 0.12 if name.startswith("nanorpc") else 1) * copies
                rows.append(result("echo", name, language, factor * 1000 + copying, size_bytes=size))
            if name == "limit-copy":
                continue
            for case in ("inflight", "clients", *(("typed", "array") if language == "Python" else ())):
                rows.append(result(case, name, language, factor * 1000))
            for rate in (1000, 20000):
                rows.append(result("rate", name, language, factor * 1000, rate=rate, calls_per_s=rate))
            idle = {"server_cpu_share": factor * 1e-5, "clients_cpu_share": factor * 2e-5}
            rows.append({"case": "idle", "contender": name, "language": language, "clients": 10, "rounds": 3, **idle})
    return rows


def change(rows: Rows, factor: float, of: Callable[[dict[str, Any]], bool]) -> Rows:
    """Make some rows slower, in all their figures."""
    changed = []
    for one in rows:
        if of(one):
            more = {key: value * factor for key, value in one.items() if re.search(r"_ns$|_share$", key) and isinstance(value, float)}
            more |= {"round_p50_ns": [ns * factor for ns in one.get("round_p50_ns", [])]}
            more |= {"calls_per_s": one.get("calls_per_s", 0) / factor} if not one.get("rate") else {}
            one = one | more
        changed.append(one)
    return changed


def is_(case: str, *contenders: str, language: str | None = None, size: int | None = None) -> Callable[[dict[str, Any]], bool]:
    return lambda one: (
        one["case"] == case and one["contender"] in contenders and language in (None, one["language"]) and size in (None, one.get("size_bytes"))
    )


def save(path: Path, rows: Sequence[dict[str, Any]], about: dict[str, Any] | None = ABOUT) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in ([about] if about else []) + list(rows)))
    return path


def report(tmp_path: Path, rows: Sequence[dict[str, Any]]) -> str:
    """The report as text, without drawing anything, which takes seconds."""
    return markdown(content(read(save(tmp_path / "results.jsonl", rows))))


def files(tmp_path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The directory of a report that was written."""
    write(save(tmp_path / "results.jsonl", rows), tmp_path / "out")
    return tmp_path / "out"


def verdicts(tmp_path: Path, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(bar.title, bar.language): bar.verdict for bar in bars(read(save(tmp_path / "results.jsonl", rows)))}


def table(markdown: str, title: str, language: str) -> list[list[str]]:
    """The cells of a table's lines, without what makes them bold."""
    part = markdown.split(f"### {title}\n", 1)[1].split("\n### ", 1)[0].split(f"#### {language}\n", 1)[1].split("\n#### ", 1)[0]
    return [[cell.strip().strip("*") for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")][2:]


@pytest.fixture(scope="module")
def measured() -> Rows:
    """Rows that were measured here and now: of Go by the benchmark of the core, of Python by its command."""
    rows = []
    with Run(Config(["limit", "limit-copy", "nanorpc", "nanorpc-loan", "uds"], [64, 4096], duration_ms=20, rounds=2, warmup_ms=5)) as run:
        while (snapshot := run.poll()).state == "running":
            time.sleep(0.05)
    assert snapshot.state == "done", snapshot.error
    for case in snapshot.cases:
        more = {"round_p50_ns": case.round_p50_ns, "distribution": case.distribution}
        rows.append({"case": "echo", "contender": case.transport, "language": "Go", **case.as_dict(), **more})
    command = [sys.executable, "-m", "nanorpc", "bench", "--python", "--json", "--cases", "echo,typed", "--contenders", "nanorpc-python,uds"]
    done = subprocess.run([*command, "--duration", "0.05", "--rounds", "2"], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        one = json.loads(line)
        rows.append(one | {"language": "Python", "contender": one["contender"].removesuffix("-python")})
    return rows


def test_figures_are_those_of_the_rows(measured: Rows, tmp_path: Path) -> None:
    out = files(tmp_path, measured)
    text, page = (out / "report.md").read_text(), (out / "report.html").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["cpu.png", "percentiles.png", "report.html", "report.md", "size.png"]
    for language in ("Go", "Python"):
        lines, at = {}, ""
        for group, contender, *figures in table(text, "One call at a time", language) if language == "Go" else ():
            at = group or at
            lines[contender, at] = figures
        for contender, *figures in table(text, "One call at a time", language) if language == "Python" else ():
            lines[contender, "64 B"] = figures
        rows = [one for one in measured if one["case"] == "echo" and one["language"] == language]
        assert len(rows) >= 2
        for one in rows:
            who, p50, p99, calls, cpu, _ = lines[one["contender"], size_text(one["size_bytes"])]
            assert who == ("floor" if one["contender"].startswith("limit") else language)
            assert p50 == f"{time_text(one['p50_ns'])} ({time_text(one['p50_low_ns'])} – {time_text(one['p50_high_ns'])})"
            assert (p99, calls) == (time_text(one["p99_ns"]), f"{one['calls_per_s']:,.0f}")
            ends = [one[end] for end in ("client_cpu_ns", "server_cpu_ns") if end in one]
            assert cpu == " + ".join(map(time_text, ends))
            assert f"<td>{p50}</td>" in page
    assert (out / "size.png").read_bytes().startswith(b"\x89PNG")


def test_everything_is_there(tmp_path: Path) -> None:
    text = report(tmp_path, complete())
    for part in ("2 CPUs, Chip, Linux 6.1, 8 GiB of memory, virtual", "pyzmq 26.0", "    python -m nanorpc.compare --rounds 3", "3 of 0.5 s"):
        assert part in text
    assert "- Python, pyzmq, in typed: it carries bytes." in text
    assert [line[:2] + line[-1:] for line in table(text, "A typed call", "Python")][:2] == [
        ["nanorpc-go", "Python", "0.75 (0.75 – 0.75)"],
        ["nanorpc", "Python", "1"],
    ]
    assert table(text, "Many calls in flight", "Go")[-1] == ["grpc", "Go", "300 µs (270 µs – 330 µs)", "600 µs", "3,333", "300 µs + 300 µs", "300"]
    assert ["uds", "Go", "0.06 %", "0.12 %", "0.18 %", "60"] in table(text, "Idle", "Go")
    first = table(text, "One call at a time", "Python")[0]
    assert first[:3] == ["64 B", "limit-copy", "floor"], "the floor stands beside both languages"


def test_bars_that_are_met(tmp_path: Path) -> None:
    found = verdicts(tmp_path, complete())
    assert len(found) == 14
    python_copies = ("Ahead of every peer in every latency case (p50)", "Python")
    assert found.pop(python_copies) == "met, in part only with nanorpc-loan", "iceoryx2 does not copy"
    assert set(found.values()) == {"met"}
    text = report(tmp_path, complete())
    assert "- Python, 16 MiB: nanorpc takes 2.02 ms, behind iceoryx2 6 µs. Only nanorpc-loan is ahead: it takes 5 µs." in text
    assert "NOT MET" not in text


LOST = [
    (
        "Ahead of every peer in every latency case (p50)",
        "Go",
        100,
        is_("rate", "nanorpc", "nanorpc-loan"),
        "64 B, 1,000 calls/s: nanorpc takes 100 µs, behind uds 60 µs.",
    ),
    (
        "Ahead of every peer in every latency case (p50)",
        "Python",
        50,
        is_("typed", "nanorpc", "nanorpc-go", "nanorpc-loan"),
        "typed call: nanorpc takes 200 µs, behind uds 120 µs",
    ),
    (
        "Ahead of every peer in throughput",
        "Go",
        70,
        is_("clients", "nanorpc", "nanorpc-loan"),
        "8 client processes: nanorpc makes 14,286 calls/s, behind uds 16,667 calls/s.",
    ),
    (
        "At 64 B at least 25 × as fast as every peer that goes through the kernel",
        "Python",
        1.3,
        is_("echo", "nanorpc", size=64),
        "64 B: nanorpc is less than 25 × as fast as uds 23 ×.",
    ),
    (
        "At 16 MiB with loans at least 25 × as fast as every peer that goes through the kernel",
        "Go",
        1000,
        is_("echo", "nanorpc-loan", size=16 << 20),
        "less than 25 × as fast as uds",
    ),
    (
        "At 1 MiB with copies within 1.3 × of two processes that only spin and copy",
        "Go",
        1.1,
        is_("echo", "nanorpc", size=1 << 20),
        "1 MiB: nanorpc takes 140 µs, limit-copy 106 µs: 1.32",
    ),
    (
        "CPU time of a call at 1,000 calls/s no more than that of the best peer",
        "Go",
        70,
        is_("rate", "nanorpc"),
        "1,000 calls/s: nanorpc 140 µs, uds 120 µs of CPU time a call.",
    ),
    ("Idle CPU no more than that of a plain blocking socket", "Python", 31, is_("idle", "nanorpc"), "idle: nanorpc 0.372 %, uds 0.36 % of one CPU."),
]


@pytest.mark.parametrize(("title", "language", "factor", "of", "loss"), LOST, ids=[f"{title}, {language}" for title, language, *_ in LOST])
def test_lost_bar_is_said_to_be_lost(
    title: str, language: str, factor: float, of: Callable[[dict[str, Any]], bool], loss: str, tmp_path: Path
) -> None:
    rows = change(complete(), factor, lambda one: one["language"] == language and of(one))
    assert verdicts(tmp_path, rows)[title, language] == "NOT MET"
    text = report(tmp_path, rows)
    sentence = next(line for line in text.splitlines() if loss in line)
    assert sentence.startswith(f"- {language}, ")
    assert text.index("Where NanoRPC is behind") < text.index(sentence) < text.index("All bars"), "losses come first"
    assert f"| {title} | {language} | NOT MET |" in text


def test_slow_tail_is_said(tmp_path: Path) -> None:
    rows = [one | {"p99_ns": 1e6} if is_("echo", "nanorpc", language="Go", size=64)(one) else one for one in complete()]
    assert "- Go, 64 B: nanorpc 1 ms, uds 120 µs, grpc 600 µs." in report(tmp_path, rows)


def test_cheapest_peer_has_to_keep_up(tmp_path: Path) -> None:
    """A peer that makes fewer calls than it should is no measure of what a call costs at that rate."""
    rows = [one | {"client_cpu_ns": 1, "calls_per_s": 900} if is_("rate", "uds", language="Go")(one) else one for one in complete()]
    assert verdicts(tmp_path, rows)["CPU time of a call at 1,000 calls/s no more than that of the best peer", "Go"] == "met"
    rows = [one | {"calls_per_s": 900} if is_("rate", "nanorpc", language="Go")(one) else one for one in complete()]
    assert verdicts(tmp_path, rows)["Ahead of every peer in every latency case (p50)", "Go"] == "NOT MET"


def test_rows_that_are_missing(tmp_path: Path) -> None:
    """The file of a run that was interrupted has no more than these, the last cut off."""
    rows = [one for one in complete() if one["case"] == "echo" and one["language"] == "Go" and one["size_bytes"] == 64]
    bare = [{key: value for key, value in one.items() if key not in ("distribution", "round_p50_ns", "client_cpu_ns", "p50_high_ns")} for one in rows]
    stale = tmp_path / "out" / "cpu.png"
    stale.parent.mkdir()
    stale.write_bytes(b"of another run")
    results = save(tmp_path / "results.jsonl", bare, None)
    with results.open("a") as file:
        file.write('{"case": "echo", "contender": "na')
    assert [path.name for path in write(results, stale.parent)] == ["report.md", "report.html", "size.png"]
    assert not stale.exists(), "it would be taken for one of this run"
    text = (stale.parent / "report.md").read_text()
    assert "Not measured: inflight, clients, rate, beside, typed, array, idle." in text
    assert "The last line of the results is cut off" in text
    found = {bar.title: bar for bar in bars(read(results))}
    assert {bar.verdict for bar in found.values()} == {"met", "not measured"}
    assert found["Idle CPU no more than that of a plain blocking socket"].figure == "not measured: NanoRPC, idle; not measured: peers, idle"


def test_without_nanorpc_nothing_is_met(tmp_path: Path) -> None:
    rows = [one for one in complete() if not one["contender"].startswith("nanorpc")]
    assert set(verdicts(tmp_path, rows).values()) == {"not measured"}
    text = report(tmp_path, rows)
    assert table(text, "A typed call", "Python")[0][-1] == "", "there is nothing to compare with"
    partly = [one for one in complete() if not (one["case"] == "rate" and one["contender"].startswith("nanorpc"))]
    assert verdicts(tmp_path, partly)["Ahead of every peer in every latency case (p50)", "Go"] == "met as far as measured"


def test_wrong_replies_and_failures_are_said(tmp_path: Path) -> None:
    rows = [one | {"errors": 3, "first_error": "<script>|"} if is_("typed", "nanorpc", "uds")(one) else one for one in complete()]
    failed = {"case": "array", "contender": "rpyc", "language": "Python", "size_bytes": 8 << 20, "calls": 0, "errors": 9, "first_error": "no room"}
    text = report(tmp_path, [*rows, failed])
    behind = text.split("Where NanoRPC is behind")[1].split("All bars")[0]
    assert "- Python, typed call, nanorpc: 3 of 100 replies were wrong." in behind
    assert r"- Python, typed call, uds: 3 of 100 replies were wrong. \<script\>\|" in text
    assert "- Python, array of 8 MiB, rpyc: no room" in text


class Page(HTMLParser):
    """What a page would load, and which elements it is of."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "data", "poster", "background", "style")]


def test_page_needs_no_other_file(tmp_path: Path) -> None:
    rows = [
        one | {"errors": 1, "first_error": "<script>"} if is_("typed", "uds")(one) else one for one in change(complete(), 40, is_("idle", "nanorpc"))
    ]
    out = files(tmp_path, rows)
    assert {path.name for path in out.iterdir()} == {"report.md", "report.html", "size.png", "percentiles.png", "throughput.png", "cpu.png"}
    text = (out / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert len(page.loads) == 8, "four plots, light and dark"
    assert all(load.startswith("data:image/svg+xml;base64,") for load in page.loads)
    assert not page.elements & {"link", "script", "iframe", "object"}
    style = text.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import", style)
    assert '<tr class="lost"><td class="text">Idle CPU no more than that of a plain blocking socket</td><td class="text">Python</td>' in text
    assert "&lt;script&gt;" in text


def test_command(tmp_path: Path) -> None:
    results, out = save(tmp_path / "results.jsonl", complete()[:3]), tmp_path / "out"
    command = [sys.executable, "-m", "nanorpc.compare.report", str(results), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    assert f"wrote {out / 'report.md'}\n" in done.stdout
    for wrong, message in (("", "holds no rows"), ('{"machine": {}}\n', "holds no rows"), ('[1]\n{"case": 1}\n', "line 1, is no row")):
        results.write_text(wrong)
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    line = json.dumps(complete()[0])
    results.write_text(f"{line}\nnothing\n{line}\n")
    with pytest.raises(ValueError, match="line 2, is no row"):
        read(results)


def test_labels_keep_their_distance() -> None:
    assert spread([0.5, 0.1, 0.9], 0.1) == [0.5, 0.1, 0.9]
    heights = [0.5, 0.51, 0.52, 0.1, 0.515]
    placed = spread(heights, 0.1)
    order = sorted(range(5), key=lambda i: heights[i])
    assert all(placed[b] - placed[a] >= 0.1 - 1e-9 for a, b in pairwise(order))
    assert placed[3] == 0.1
    assert sum(placed[i] for i in (0, 1, 2, 4)) / 4 == pytest.approx(0.51125), "they stay around their middle"
