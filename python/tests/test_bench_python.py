from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

import nanorpc
from nanorpc.commands import bench_python
from nanorpc.compare import run as run_module
from nanorpc.compare.contenders import CONTENDERS, Contender, choose, sizes_of
from nanorpc.compare.loops import LOOPS
from nanorpc.compare.pair import pair
from nanorpc.compare.process import Process
from nanorpc.compare.result import Result
from nanorpc.compare.timing import Command, Figures

KEYS = {
    "case", "contender", "size_bytes", "inflight", "calls", "mean_ns", "p50_ns", "p99_ns", "p999_ns", "calls_per_s", "errors", "rounds",
    "p50_low_ns", "p50_high_ns", "ratio", "ratio_to",
}  # fmt: skip


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nanorpc", "bench", *arguments], capture_output=True, text=True, timeout=200)


def of(name: str, case: str = "echo") -> Contender:
    (contender,) = choose([case], [name])
    return contender


def figures_of(p50_ns: float, calls: int = 10, errors: int = 0) -> Figures:
    times = dict.fromkeys(("mean_ns", "p50_ns", "p99_ns", "p999_ns"), p50_ns)
    return {**times, "calls": calls, "errors": errors, "calls_per_s": 1e9 / p50_ns}


def sane(figures: Figures) -> bool:
    times = [figures[name] for name in ("p50_ns", "p99_ns", "p999_ns")]
    return figures["calls"] > 0 and figures["errors"] == 0 and figures["calls_per_s"] > 0 and times[0] > 0 and times == sorted(times)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: f"{contender.case}-{contender.name}")
def test_contender(contender: Contender) -> None:
    if not contender.installed():
        pytest.skip(f"{contender.needs} is not installed: pip install 'nanorpc[compare]'")
    with pair(contender, 8192) as measure:
        for size in (0,) if contender.case == "typed" else (64, 8192):
            assert sane(measure(size, 0.02))


def test_floor_has_a_rate() -> None:
    peer = SimpleNamespace(floor=contextmanager(lambda directory: iter([lambda size, duration: figures_of(100)])))
    with LOOPS["floor"](peer, Path(), 1) as measure:
        assert measure(Command(64, 1))["calls_per_s"] == 1e7


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--python", "--cases", "echo,unheard"], "“unheard” is no case: there are echo, typed"),
        (["--python", "--contenders", "uds,unheard"], "“unheard” is no contender: there are limit, nanorpc"),
        (["--python", "--contenders", ""], "“” is no contender"),
        (["--python", "--contenders", "grpc.aio", "--cases", "typed"], "grpc.aio takes part in echo and aio only"),
        (["--python", "--cases", "array", "--size", "64,10"], "an array cannot have 10 bytes"),
        (["--python", "--size", "big"], "is no size"),
        (["--cases", "echo"], "--python"),
        (["--contenders", "uds"], "--python"),
    ],
)
def test_mistakes(arguments: list[str], text: str) -> None:
    result = bench(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_json() -> None:
    result = bench("--python", "--contenders", "nanorpc,UDS,multiprocessing", "--size", "64,1k", "--duration", "0.02", "--rounds", "2", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["size_bytes"], row["contender"]) for row in rows] == [(s, c) for s in (64, 1024) for c in ("nanorpc", "uds", "multiprocessing")]
    for row in rows:
        assert set(row) == KEYS
        assert sane(row)
        assert (row["case"], row["rounds"], row["inflight"], row["ratio_to"]) == ("echo", 2, 1, "nanorpc")
        assert row["p50_low_ns"] <= row["p50_ns"] <= row["p50_high_ns"]
        assert row["ratio"] == 1 if row["contender"] == "nanorpc" else row["ratio"] > 0


def test_table() -> None:
    results = [Result(c.case, c.name, sizes_of(c.case, ())[0], c.inflight, [figures_of(1), figures_of(123_400_000)]) for c in CONTENDERS]
    text = bench_python.table(results)
    assert max(map(len, text.splitlines())) <= 80
    for contender in CONTENDERS:
        assert f"{contender.name} " in text
    assert "(echo: nanorpc-python, typed: nanorpc-python, batch: nanorpc-batch, aio: nanorpc-aio" in " ".join(text.split())


def test_ratios_in_the_table() -> None:
    times = [1000, 5, 74, 150, 1234, 99_900, 123_400]
    rows = [Result("echo", f"nanorpc{'' if i == 0 else i}", 64, 1, [figures_of(p50_ns)]) for i, p50_ns in enumerate(times)]
    lines = bench_python.table(rows).splitlines()[1:8]
    assert [re.split(r" {2,}", line)[-2] for line in lines] == ["1", "<0.01", "0.074", "0.15", "1.23", "99.9", "123"]


def test_ratios() -> None:
    def result(name: str, p50_ns: float, size: int = 64) -> Result:
        return Result("echo", name, size, 1, [figures_of(p50_ns)])

    results = [result("nanorpc", 10), result("uds", 200), result("uds", 300, size=128)]
    assert [row.as_dict(results)["ratio"] for row in results] == [1, 20, None]
    results.append(result("nanorpc-python", 20))
    assert [(row.as_dict(results)["ratio"], row.as_dict(results)["ratio_to"]) for row in results[:2]] == [
        (0.5, "nanorpc-python"),
        (10, "nanorpc-python"),
    ]


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[int, float], Figures]]:
    """What each contender's pair gives out, instead of starting processes; others get 1 µs. All are installed."""
    measures: dict[str, Callable[[int, float], Figures]] = {}

    @contextmanager
    def fake(contender: Contender, max_size: int, stopped: Event | None = None) -> Iterator[Callable[[int, float], Figures]]:
        yield measures.get(contender.name, lambda size, duration: figures_of(1000))

    monkeypatch.setattr(run_module, "pair", fake)
    monkeypatch.setattr(Contender, "installed", lambda self: True)
    return measures


def run(*names: str) -> int:
    return bench_python.run(["echo"], names, [], 0.01, 3, True)


def rounds(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, int], str]:
    output = capsys.readouterr()
    return {row["contender"]: row["rounds"] for row in map(json.loads, output.out.splitlines())}, output.err


def test_interrupted(pairs: dict[str, Callable[[int, float], Figures]], capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([figures_of(1000)])

    def interrupt(size: int, duration: float) -> Figures:
        for figures in answers:
            return figures
        raise KeyboardInterrupt

    pairs["uds"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        run("nanorpc", "uds", "pyzmq")
    assert rounds(capsys)[0] == {"nanorpc": 2, "uds": 1, "pyzmq": 1}


def test_one_that_fails_does_not_stop_the_others(pairs: dict[str, Callable[[int, float], Figures]], capsys: pytest.CaptureFixture[str]) -> None:
    def fail(size: int, duration: float) -> Figures:
        raise nanorpc.NanoRPCError("out of coffee")

    pairs["uds"] = fail
    assert run("uds", "pyzmq") == 1
    assert rounds(capsys) == ({"pyzmq": 3}, "nanorpc: echo, uds: out of coffee\n")


def test_wrong_replies_fail(pairs: dict[str, Callable[[int, float], Figures]], capsys: pytest.CaptureFixture[str]) -> None:
    pairs["uds"] = lambda size, duration: figures_of(1000, errors=2)
    assert run("uds") == 1
    assert "6 replies were wrong" in rounds(capsys)[1]


def test_what_is_not_installed_is_left_out(
    pairs: dict[str, Callable[[int, float], Figures]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Contender, "installed", lambda self: self.needs == "")
    assert run("uds", "pyzmq", "grpcio") == 0
    measured, said = rounds(capsys)
    assert measured == {"uds": 3}
    assert "left out, as not installed: pyzmq, grpcio. To get them: pip install 'nanorpc[compare]'" in said
    assert run("pyzmq") == 1


def test_nothing_is_imported_before_it_is_measured() -> None:
    code = "import sys, nanorpc.cli, nanorpc.commands.bench_python, nanorpc.compare.child; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout.split())
    assert not {"zmq", "grpc", "Pyro5", "rpyc", "numpy", "nanorpc._core"} & modules


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"role": "server", "module": "unheard"}, "ModuleNotFoundError"),
        ({"role": "client", "module": "uds", "loop": "echo", "directory": "/nonexistent", "inflight": 1}, "FileNotFoundError"),
    ],
)
def test_process_says_why_it_cannot_start(argument: dict[str, Any], text: str) -> None:
    with Process(argument) as process, pytest.raises(nanorpc.NanoRPCError, match=text):
        process.answer(60)


def test_process_that_has_ended() -> None:
    with Process({"role": "server", "module": "connection", "directory": "/nonexistent", "max_size": 1}) as process:
        with pytest.raises(nanorpc.NanoRPCError, match="FileNotFoundError"):
            process.answer(60)
        with pytest.raises(nanorpc.NanoRPCError, match="has ended"):
            process.answer(60)


def test_process_that_does_not_answer(tmp_path: Path) -> None:
    with Process({"role": "server", "module": "connection", "directory": str(tmp_path), "max_size": 1}) as process:
        assert process.answer(60) == {"ready": True}
        with pytest.raises(nanorpc.NanoRPCError, match="no answer"):
            process.answer(0.01)


@pytest.mark.parametrize("contender", [of("uds"), of("multiprocessing"), of("nanorpc")], ids=lambda contender: contender.name)
def test_nothing_stays_behind(contender: Contender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupted() -> None:
        with pair(contender, 64) as measure:
            measure(64, 0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
