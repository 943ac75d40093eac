from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import nanorpc
from nanorpc.commands import human, stat_table
from nanorpc.commands.sample import Sample, since
from nanorpc.commands.screen import fit
from nanorpc.introspection import ConnectionStats, MethodStats, Stats, TimeBucket

COMMAND = [sys.executable, "-m", "nanorpc", "stat"]
MANY = (1 << 64) - 1


def stat(*arguments: str) -> str:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True, timeout=100).stdout


@contextmanager
def watch(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, *arguments, "--watch", "--interval", "0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_stat_of_a_service(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        for _ in range(70):
            client.call("echo", b"12345")
    lines = stat("demo").splitlines()
    assert lines[0].startswith(f"demo: process {demo.pid}, up ")
    assert next(line.split() for line in lines if line.startswith("echo"))[:6] == ["echo", "70", "0", "0", "350B", "350B"]
    assert "* this command's own" in lines
    assert max(map(len, lines)) <= 80

    answer = json.loads(stat("demo", "--json"))
    echo = next(m for m in answer["methods"] if m["name"] == "echo")
    assert (echo["calls"], echo["calls_per_s"]) == (70, None)
    assert 0 < echo["p50_ns"] <= echo["p99_ns"]
    assert [c["own"] for c in answer["connections"]] == [True]


def test_stat_of_all(demo: subprocess.Popen[str], python_server: subprocess.Popen[str]) -> None:
    heading, *lines = stat().splitlines()
    assert heading.split()[:3] == ["SERVICE", "PROCESS", "UP"]
    assert [line.split()[:2] for line in lines] == [["demo", str(demo.pid)], ["python", str(python_server.pid)]]
    assert [json.loads(line)["service"] for line in stat("--json").splitlines()] == ["demo", "python"]


def test_watch(demo: subprocess.Popen[str]) -> None:
    with watch("demo", "--json") as process, nanorpc.connect("demo") as client:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["interval_ns"] is None
        assert first["uid"] == os.geteuid()
        busy = False
        while not busy:
            for _ in range(100):
                client.call("echo")
            answer = json.loads(process.stdout.readline())
            assert answer["interval_ns"] > 0
            busy = any(m["name"] == "echo" and m["calls_per_s"] > 0 and m["p50_ns"] for m in answer["methods"])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


def test_watch_ends_with_the_server(demo: subprocess.Popen[str]) -> None:
    with watch("demo") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("demo: ")
        demo.kill()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert errors.startswith("nanorpc: ")
        assert "Traceback" not in errors


def test_watch_of_all_goes_on_without_a_server(demo: subprocess.Popen[str]) -> None:
    with watch() as process:
        assert process.stdout is not None
        demo_was_there = False
        for line in process.stdout:
            if line.startswith("demo ") and not demo_was_there:
                demo_was_there = True
                demo.kill()
            if line == "no service is running\n":
                break
        assert demo_was_there
        assert process.poll() is None


def most(**fields: int | str) -> dict[str, object]:
    times = [TimeBucket(8, 2), TimeBucket(1792, MANY), TimeBucket(5 << 38, MANY)]
    return {"calls": MANY, "errors": MANY, "in_flight": 25600, "request_bytes": MANY, "reply_bytes": MANY, "times": times, **fields}


def widest() -> Stats:
    names = ["nanorpc.stats", "package." + "long" * 50 + ".name", "\x1b[2J\tä\n"]
    connection = {"id": 1234567, "pid": 4194304, "age_ns": 1, "refused": 0, "spins_paid": MANY, "sleeps": MANY, "memory": MANY, "reply_used": MANY}
    return Stats(
        service="s" * 64,
        pid=4194304,
        uptime_ns=500 * 86400 * 10**9,
        methods=[MethodStats(**most(name=name)) for name in names],  # type: ignore[arg-type]
        connected=100_000,
        connections=[ConnectionStats(**most(**connection, reply_arena=MANY))],  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("watched", [False, True])
def test_the_widest_figures_fit(watched: bool) -> None:
    now = widest()
    sample = Sample(now, Stats(**{**vars(now), "uptime_ns": now.uptime_ns - 10**9, "methods": []}) if watched else None, watched)
    for text in (stat_table.one_service(sample), stat_table.all_services([sample], [("other", "x" * 200)], watched)):
        assert max(map(len, text.splitlines())) <= 80
        assert "…" in text
        assert not {"\x1b", "\t"} & set(text)


def test_since() -> None:
    before = [TimeBucket(8, 90), TimeBucket(16, 10)]
    assert since([TimeBucket(8, 90), TimeBucket(16, 15), TimeBucket(32, 25)], before) == [(16, 5), (32, 25)]


def test_fit() -> None:
    text = "1\n2\n3\n4\n"
    assert all(fit(text, height) == text for height in (0, 5, 6))
    assert fit(text, 4) == "1\n2\n2 more lines: make the window taller\n"
    assert fit(text, 1) == "1\n3 more lines: make the window taller\n"


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (human.number, 99_999, "99999"),
        (human.number, 123_456, "123k"),
        (human.number, MANY, "18.4E"),
        (human.rate, 2.04, "2.0"),
        (human.rate, None, "-"),
        (human.size, 1023 * 1024, "1023KiB"),
        (human.period, 96, "96ns"),
        (human.period, 1792, "1.8µs"),
        (human.period, 999, "1µs"),
        (human.period, 327_680, "330µs"),
        (human.period, 5 << 38, "1370s"),
        (human.uptime, 3_723 * 10**9, "1h2m3s"),
        (human.uptime, 72 * 3600 * 10**9, "3 days"),
    ],
)
def test_figures(function: object, value: object, text: str) -> None:
    assert callable(function)
    assert function(value) == text
