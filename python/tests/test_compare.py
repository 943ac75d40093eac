from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nanorpc
from nanorpc.compare import __main__ as command
from nanorpc.compare import run as run_module
from nanorpc.compare.contenders import IDLE, Contender
from nanorpc.compare.full import CASES, ENTRANTS, choose_cases, choose_entrants
from nanorpc.compare.loops import LOOPS
from nanorpc.compare.pair import pair
from nanorpc.compare.result import Result
from nanorpc.compare.rows import row
from nanorpc.compare.run import Comparison, Plan
from nanorpc.compare.timing import ALL, Command, Figures, cpu_of, measure, measure_one, of_all, serial

ROW = {
    "case", "contender", "language", "size_bytes", "clients", "inflight", "rate", "calls", "errors", "rounds", "mean_ns", "p50_ns", "p50_low_ns",
    "p50_high_ns", "p99_ns", "p999_ns", "calls_per_s", "client_cpu_ns", "server_cpu_ns", "distribution", "round_p50_ns",
}  # fmt: skip
IDLE_ROW = {"case", "contender", "language", "clients", "rounds", "server_cpu_share", "clients_cpu_share"}

PYTHONS = [
    contender
    for entrant in ENTRANTS
    if entrant.language == "Python"
    for case in CASES.values()
    for contender in entrant.contenders(case, "")
]  # fmt: skip


def sane(figures: Figures) -> bool:
    times = [figures[name] for name in ("p50_ns", "p99_ns", "p999_ns")]
    counted = sum(count for _, count in figures["distribution"])
    return counted == figures["calls"] > 0 and figures["errors"] == 0 and figures["calls_per_s"] > 0 and times[0] > 0 and times == sorted(times)


@pytest.mark.parametrize("contender", PYTHONS, ids=lambda contender: f"{contender.case}-{contender.name}-{contender.rate}")
def test_contender(contender: Contender) -> None:
    for name in contender.needs.split():
        pytest.importorskip(name)
    sizes = [size for size in contender.sizes if size <= 1 << 20] or [8192]
    with pair(replace(contender, clients=min(contender.clients, 2)), max(sizes)) as measure:
        for size in sizes:
            figures = measure(size, 0.02)
            if contender.case == IDLE:
                assert figures["server_cpu_share"] >= 0
                assert figures["clients_cpu_share"] >= 0
            else:
                assert sane(figures)
                assert figures["client_cpu_ns"] > 0
                assert figures["server_cpu_ns"] > 0


class Peer:
    """A client of every kind that is wrong in one of three replies, from the 501st on, if it is told to be."""

    def __init__(self, wrong: bool) -> None:
        self.calls = 0
        self.wrong = wrong

    def errs(self) -> bool:
        self.calls += 1
        return self.wrong and self.calls > 500 and self.calls % 3 == 0

    def call(self, request: bytes) -> bytes:
        return b"?" if self.errs() else request

    @contextmanager
    def echo(self, directory: Path) -> Iterator[Callable[[bytes], bytes]]:
        yield self.call

    @contextmanager
    def stamps(self, directory: Path) -> Iterator[Callable[[int, bytes], bytes]]:
        yield lambda size, stamp: self.call(stamp)

    @contextmanager
    def batch(self, directory: Path) -> Iterator[Callable[[Sequence[bytes]], Sequence[bytes]]]:
        yield lambda requests: [self.call(request) for request in requests]

    @contextmanager
    def typed(self, directory: Path) -> Iterator[Callable[[int, int], int]]:
        yield lambda a, b: -1 if self.errs() else a + b

    @asynccontextmanager
    async def aio(self, directory: Path) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
        async def call(request: bytes) -> bytes:
            return self.call(request)

        yield call

    @contextmanager
    def pipeline(self, directory: Path, inflight: int) -> Iterator[Any]:
        sent: list[bytes] = []

        def receive() -> bytes:
            assert len(sent) <= inflight
            return self.call(sent.pop(0))

        yield SimpleNamespace(send=sent.append, receive=receive)

    @contextmanager
    def mirror(self, directory: Path) -> Iterator[Any]:
        yield self.arrays(1)

    @contextmanager
    def array(self, directory: Path) -> Iterator[Any]:
        yield self.arrays(0.5)

    def arrays(self, factor: float) -> Any:
        np = pytest.importorskip("numpy")
        numbers = np.empty(16, "f4")
        return SimpleNamespace(begin=lambda count: numbers, run=lambda: numbers * (factor / 2 if self.errs() else factor), end=lambda: None)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("name", ["echo", "stamps", "typed", "batch", "batches", "aio", "pipeline", "threads", "array", "mirror"])
def test_wrong_replies_are_counted(name: str, wrong: bool) -> None:
    with LOOPS[name](Peer(wrong), Path(), 4) as measure:
        figures = measure(Command(64, 0.02))
        while wrong and not figures["errors"]:  # however few calls that are
            figures = measure(Command(64, 0.02))
    assert sane(figures) is not wrong
    assert ("first_error" in figures) is wrong


@pytest.mark.parametrize("rate", [0, 1e6])
def test_wrong_replies_at_a_rate_are_counted(rate: float) -> None:
    times, errors = serial(lambda request: b"?", [b"a"], [b"a"], rate)(ALL, 5)
    assert (len(times), errors) == (5, 5)


def test_a_caller_in_a_thread_that_fails_fails() -> None:
    @contextmanager
    def echo(directory: Path) -> Iterator[Callable[[bytes], bytes]]:
        def call(request: bytes) -> bytes:
            raise OSError("out of coffee")

        yield call

    with LOOPS["threads"](SimpleNamespace(echo=echo), Path(), 2) as measure, pytest.raises(OSError, match="coffee"):
        measure(Command(64, 0.01))


def test_times_at_a_rate_are_from_when_calls_are_due() -> None:
    def call(request: int) -> int:
        if request == 0:
            time.sleep(0.05)
        return request

    times, errors = serial(call, range(10), range(10), 1000)(ALL, 10)
    assert errors == 0
    assert all(time_ >= 50_000_000 - 1_000_000 * i for i, time_ in enumerate(times))  # the first has made the others late


def test_calls_at_a_rate_do_not_begin_early() -> None:
    begun: list[int] = []
    start = time.perf_counter_ns()
    serial(lambda request: begun.append(time.perf_counter_ns()), [0], [None], 500)(ALL, 5)
    assert all(at >= start + 2_000_000 * i for i, at in enumerate(begun))


def test_calls_at_a_rate_end_in_time() -> None:
    calls: list[int] = []
    serial(calls.append, [0], [None], 1e9)(time.perf_counter_ns(), ALL)
    assert len(calls) == 1  # there is a time to tell of


def test_a_round_has_a_start_and_an_afterwards() -> None:
    ends: list[tuple[int, int]] = []

    def phase(end: int, most: int) -> tuple[list[int], int]:
        ends.append((end, time.perf_counter_ns()))
        while most == ALL and time.perf_counter_ns() < end:
            pass
        return [7], 0

    start = time.monotonic_ns() + 50_000_000
    figures = measure(phase, Command(64, 0.01, start_ns=start, linger=0.01))
    (_, _), (until, _), (measured, begun), (last, rest) = ends
    assert until == start <= begun
    assert begun <= measured <= rest <= last
    assert (figures["calls"], figures["p50_ns"]) == (1, 7)


def test_the_clock_of_another_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            before = cpu_of(process.pid)
            deadline = time.monotonic() + 60
            while cpu_of(process.pid) == before:
                assert time.monotonic() < deadline
        finally:
            process.kill()
    with pytest.raises(OSError):  # noqa: PT011
        cpu_of(process.pid)
    own = time.process_time_ns()
    assert own <= cpu_of(os.getpid()) <= time.process_time_ns()
    assert cpu_of(0) == 0


def figures_of(p50_ns: float, calls: int = 10, errors: int = 0) -> Figures:
    times = dict.fromkeys(("mean_ns", "p50_ns", "p99_ns", "p999_ns"), p50_ns)
    spent = {"client_cpu_ns": 20 * calls, "server_cpu_ns": 30 * calls}
    first_error = {"first_error": "wrong"} if errors else {}
    distribution = [[int(p50_ns), calls]]
    return {**times, **spent, **first_error, "calls": calls, "errors": errors, "calls_per_s": 1e9 / p50_ns, "distribution": distribution}


def test_clients_together() -> None:
    one, other = figures_of(100, calls=30), figures_of(1000, calls=10, errors=2)
    both = of_all([one, other])
    assert (both["calls"], both["errors"], both["first_error"]) == (40, 2, "wrong")
    assert both["mean_ns"] == (100 * 30 + 1000 * 10) / 40
    assert (both["p50_ns"], both["p99_ns"], both["p999_ns"]) == (100, 1000, 1000)
    assert both["calls_per_s"] == one["calls_per_s"] + other["calls_per_s"]
    assert both["distribution"] == [[100, 30], [1000, 10]]
    assert (both["client_cpu_ns"], both["server_cpu_ns"]) == (20 * 40, 30 * 20)
    assert of_all([one]) is one


def test_row() -> None:
    result = Result("rate", "uds", 64, 1, [figures_of(100), figures_of(300, calls=20), figures_of(200)], rate=1000)
    line = row(result)
    assert set(line) == ROW
    assert (line["p50_ns"], line["p50_low_ns"], line["p50_high_ns"], line["round_p50_ns"]) == (200, 100, 300, [100, 300, 200])
    assert (line["calls"], line["rounds"], line["rate"], line["language"]) == (40, 3, 1000, "Python")
    assert (line["client_cpu_ns"], line["server_cpu_ns"]) == (20, 30)
    assert line["distribution"] == [[100, 10], [200, 10], [300, 20]]
    assert row(Result("echo", "uds", 64, 1, [figures_of(1, errors=1)]))["first_error"] == "wrong"


PROGRAM = f"""#!{sys.executable}
# A program with contenders in Go, as far as a comparison can tell.
import json, os, sys, time
role, argument = sys.argv[1], json.loads(sys.argv[2])
assert role in ("peer", "caller"), role
assert set(argument) == {{"transport", "directory", "spin", "max_size", "inflight"}}, argument
if argument["transport"] == "grpc":
    print(json.dumps({{"error": "no coffee"}}))
    sys.exit(1)
assert os.path.basename(sys.argv[0]) == (argument["transport"] if argument["transport"] in ("grpc", "nats") else "benchmark"), sys.argv
print(json.dumps({{"ready": True}}), flush=True)
if argument["transport"] == "nats" and role == "caller":
    sys.exit(1)
connected = None
for line in sys.stdin:
    command = json.loads(line)
    if command.get("connect"):
        connected = command["size"]
        print(json.dumps({{"ready": True}}), flush=True)
        continue
    assert connected == (command["size"] if "start_ns" in command else None)  # several are connected before one of them begins
    with open(sys.argv[0] + ".log", "a") as log:
        log.write(json.dumps({{**argument, **command}}) + "\\n")
    time.sleep(command["duration"])
    wrong = argument["transport"] == "tcp"
    print(json.dumps({{"calls": 3, "errors": int(wrong), "mean_ns": 10.0, "p50_ns": 10, "p99_ns": 20, "p999_ns": 20, "calls_per_s": 1e8,
                      "distribution": [[10, 2], [20, 1]], "client_cpu_ns": 300, "server_cpu_ns": 600}}), flush=True)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The folder of the programs."""
    folder = tmp_path / "go"
    folder.mkdir()
    for name in ("benchmark", "grpc", "nats"):
        path = folder / name
        path.write_text(PROGRAM)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path]]:
    """What a report has been written of, and where."""
    calls: list[tuple[Path, Path]] = []

    def write(results: Path, directory: Path) -> list[Path]:
        calls.append((results, directory))
        return [directory / "report.md"]

    monkeypatch.setitem(sys.modules, "nanorpc.compare.report", SimpleNamespace(write=write))  # type: ignore[arg-type]
    return calls


def run(output: Path, *arguments: str) -> int:
    return command.main(["--output", str(output), "--duration", "0.02", "--rounds", "2", *arguments])


def lines(output: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    about, *rows = map(json.loads, (output / "results.jsonl").read_text().splitlines())
    return about, rows


def test_results(programs: Path, reported: list[tuple[Path, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert run(output, "--go", str(programs), "--contenders", "uds,Python/Multiprocessing", "--cases", "inflight,clients,rate,idle,array,typed") == 0
    about, rows = lines(output)
    assert {"machine", "versions", "command", "date", "rounds", "duration_s", "absent"} == set(about)
    assert {"cpu", "cpus", "kernel", "memory_bytes"} <= set(about["machine"])
    assert {"nanorpc", "python"} <= set(about["versions"])
    assert "--cases inflight,clients" in about["command"]
    assert [(one["case"], one["contender"]) for one in about["absent"]] == [("typed", "uds"), ("typed", "multiprocessing")]
    who = [(one["case"], one["language"], one["contender"]) for one in rows]
    go, uds, multi = ("Go", "uds"), ("Python", "uds"), ("Python", "multiprocessing")
    assert who == [
        *(("inflight", *one) for one in (go, uds, multi)),
        *(("clients", *one) for one in (go, uds, multi)),
        *(("rate", *one) for one in (go, go, uds, uds, multi, multi)),
        *(("array", *one) for one in (uds, multi)),
        *(("idle", *one) for one in (go, uds, multi)),
    ]
    assert all(set(one) == (IDLE_ROW if one["case"] == IDLE else ROW) and one["rounds"] == 2 for one in rows)
    load = {(one["case"], one["inflight"], one["clients"], one["rate"]) for one in rows if one["case"] != IDLE}
    assert load == {("inflight", 64, 1, 0), ("clients", 1, 8, 0), ("rate", 1, 1, 1000), ("rate", 1, 1, 20000), ("array", 1, 1, 0)}
    assert (rows[0]["calls"], rows[0]["client_cpu_ns"], rows[3]["calls"], rows[3]["server_cpu_ns"]) == (6, 100, 48, 25)
    assert reported == [(output / "results.jsonl", output)]
    assert capsys.readouterr().out.split() == [str(output / "results.jsonl"), str(output / "report.md")]


def test_what_clients_in_go_are_told(programs: Path, reported: list[tuple[Path, Path]], tmp_path: Path) -> None:
    assert run(tmp_path / "out", "--go", str(programs), "--contenders", "go/uds", "--cases", "echo,clients,rate") == 0
    told = [json.loads(line) for line in (programs / "benchmark.log").read_text().splitlines()]
    assert all(one["transport"] == "uds" and one["spin"] == "adaptive" and one["server_pid"] > 0 for one in told)
    assert [one["size"] for one in told[:5]] == [64, 4096, 65536, 1 << 20, 16 << 20]
    assert {one["max_size"] for one in told[:5]} == {16 << 20}
    alone, together = [one for one in told if "start_ns" not in one], [one for one in told if "start_ns" in one]
    assert {(one["rate"], round(one["duration"], 3)) for one in alone} == {(0, 0.02), (1000, 0.06), (20000, 0.02)}  # few calls take more time
    assert len(together) == 8 * 2
    assert len({one["start_ns"] for one in together}) == 2  # one for each round
    assert all(one["linger"] > 0 for one in together)


def test_one_that_fails_does_not_stop_the_others(
    programs: Path, reported: list[tuple[Path, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run(output, "--go", str(programs), "--contenders", "go/grpc,go/nats,go/uds,python/uds", "--cases", "inflight") == 1
    said = capsys.readouterr().err
    assert "inflight, Go/grpc: no coffee" in said
    assert "inflight, Go/nats: its process has ended" in said
    assert [(one["language"], one["contender"], one["rounds"]) for one in lines(output)[1]] == [("Go", "uds", 2), ("Python", "uds", 2)]


def test_one_that_dies_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server in Python is killed between two rounds."""
    (contender,) = choose_entrants(["python/multiprocessing"])[0].contenders(CASES["inflight"], "")
    servers: list[int] = []
    started = run_module.pair

    @contextmanager
    def watched(contender: Contender, max_size: int, stopped: Any = None) -> Iterator[Any]:
        with started(contender, max_size, stopped) as measure:

            def killing(size: int, duration: float) -> Figures:
                figures = measure(size, duration)
                if not servers:
                    servers.extend(children_of(os.getpid()))
                    os.kill(min(servers), signal.SIGKILL)  # the server is started first
                return figures

            yield killing

    monkeypatch.setattr(run_module, "pair", watched)
    failures: list[str] = []
    comparison = Comparison(Plan([contender], (), 0.02, 3), lambda text: None, lambda contender, text: failures.append(text))
    comparison.run()
    assert [len(result.rounds) for result in comparison.results] == [1]
    assert len(failures) == 1
    assert not set(servers) & set(children_of(os.getpid()))


def children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(path.parent.name))
    return found


def test_wrong_replies_fail(programs: Path, reported: list[tuple[Path, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", "--go", str(programs), "--contenders", "tcp", "--cases", "inflight") == 1
    assert "inflight, Go/tcp: 2 replies were wrong" in capsys.readouterr().err


def test_what_is_not_there_is_left_out(
    reported: list[tuple[Path, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Contender, "installed", lambda self: self.needs == "")
    output = tmp_path / "out"
    assert run(output, "--contenders", "uds,pyzmq", "--cases", "inflight") == 0
    said = capsys.readouterr().err
    assert "Go/uds is left out: no folder has been given" in said
    assert "Python/pyzmq is left out: not all of it is installed: zmq" in said
    about, rows = lines(output)
    assert [(one["case"], one["language"], one["contender"]) for one in about["absent"]] == [
        ("inflight", "Go", "uds"),
        ("inflight", "Python", "pyzmq"),
    ]
    assert [one["contender"] for one in rows] == ["uds"]
    assert run(output, "--go", str(tmp_path), "--contenders", "go/nats", "--cases", "inflight") == 1
    assert f"Go/nats is left out: there is no program {tmp_path}/nats" in capsys.readouterr().err
    assert run(output, "--contenders", "pyzmq") == 1
    assert "nothing has been measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--cases", "echo,unheard"], "“unheard” is no case: there are echo, inflight"),
        (["--contenders", "uds,unheard"], "“unheard” is no contender: there are Go/limit"),
        (["--contenders", "go/pyzmq"], "“go/pyzmq” is no contender"),
        (["--go", "/nonexistent"], "there is no folder /nonexistent"),
    ],
)
def test_mistakes(arguments: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", *arguments) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for name in [*CASES, *(entrant.title for entrant in ENTRANTS)]:
        assert name in text
    assert command.main(["--list", "--cases", "typed", "--contenders", "uds"]) == 0
    assert "none of these" in capsys.readouterr().out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for option in ("--go", "--output", "--cases", "--contenders", "--rounds", "--duration", "--quick", "--list"):
        assert option in text


def test_the_thread_that_computes_has_its_own_cpu_time() -> None:
    def call(request: int) -> int:
        time.sleep(0.002)
        return request

    threads = threading.active_count()
    figures = measure_one(call, [1], [1], Command(64, 0.3, computing=True))
    assert sane(figures)
    assert figures["client_cpu_ns"] < figures["calls"] * figures["mean_ns"] / 4  # the thread has had the rest
    assert threading.active_count() == threads


def test_who_takes_part() -> None:
    for entrant in ENTRANTS:
        for case in CASES.values():
            contenders = entrant.contenders(case, "/programs")
            assert all(contender.language == entrant.language for contender in contenders)
            out = case.name in entrant.absent or (entrant.language == "Go" and case.python_only)
            assert len(contenders) == (0 if out else len(case.rates))
    assert [case.name for case in choose_cases(["idle", "echo"])] == ["echo", "idle"]
    assert [entrant.title for entrant in choose_entrants(["go/UDS", "rpyc"])] == ["Go/uds", "Python/rpyc"]


def test_who_polls_runs_in_its_own_turns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    @contextmanager
    def fake(contender: Contender, max_size: int, stopped: Any = None) -> Iterator[Callable[[int, float], Figures]]:
        events.append(f"+{contender.name}")

        def measure(size: int, duration: float) -> Figures:
            events.append(contender.name)
            return figures_of(1000)

        yield measure
        events.append(f"-{contender.name}")

    monkeypatch.setattr(run_module, "pair", fake)
    contenders = [Contender("inflight", "a", "", sizes=(64,)), Contender("inflight", "b", "", sizes=(64,), polls=True)]
    Comparison(Plan(contenders, (), 0.01, 2), lambda text: None, lambda contender, text: None).run()
    assert events == ["+a", "a", "+b", "b", "-b", "a", "+b", "b", "-b", "-a"]


INTERRUPTED = """
import sys, types
report = types.ModuleType("nanorpc.compare.report")
report.write = lambda results, directory: [directory / "report.md"]
sys.modules["nanorpc.compare.report"] = report
from nanorpc.compare.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_interrupted(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    arguments = ["--output", str(tmp_path), "--contenders", "uds,multiprocessing", "--cases", "inflight,rate", "--duration", "0.02", "--rounds", "60"]
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 250
        try:
            while not (results.exists() and "round_p50_ns" in results.read_text()):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            children = children_of(process.pid)
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=100)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "interrupted: the report is of what has been measured" in said
    assert "Traceback" not in said
    assert out.split()[-1] == str(tmp_path / "report.md")
    _, rows = lines(tmp_path)
    assert [(one["contender"], one["rounds"]) for one in rows[:2]] == [("uds", 60), ("multiprocessing", 60)]
    assert all(0 < one["rounds"] < 60 for one in rows[2:])
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_nothing_is_imported_before_it_is_measured() -> None:
    code = "import sys, nanorpc.compare.__main__, nanorpc.compare.child; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout.split())
    assert not {"zmq", "grpc", "Pyro5", "rpyc", "iceoryx2", "numpy", "matplotlib", "nanorpc._core"} & modules


def test_a_process_that_says_something_else(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho usage: something else\n")
    program.chmod(0o755)
    contender = Contender("echo", "uds", "", transport="uds", program=str(program))
    with pytest.raises(nanorpc.NanoRPCError, match="its process said"), pair(contender, 64):
        pass
