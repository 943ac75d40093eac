"""nanorpc.testing, and the plugin for pytest."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path

import programs
import pytest

import nanorpc
import nanorpc.aio
from nanorpc.testing import ServiceFactory, ServiceFailed, ServiceProcess, run_service

pytest_plugins = ["pytester"]

registry = nanorpc.ErrorRegistry()
bank = nanorpc.Service("bank", errors=registry)


@registry.register("bank.InsufficientFunds")
class InsufficientFunds(Exception):
    pass


@bank.method
def withdraw(amount: int) -> int:
    if amount > 100:
        raise InsufficientFunds(f"{amount} is too much")
    return 100 - amount


@bank.method
def where() -> tuple[int, str]:
    return os.getpid(), sys.argv[-1]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_service_of_a_test_module(nanorpc_service: ServiceFactory) -> None:
    client = nanorpc_service(bank)
    assert client.withdraw(30) == 70
    with pytest.raises(InsufficientFunds, match="too much"):
        client.withdraw(200)
    assert client.where()[0] != os.getpid()


def test_service_of_another_module(nanorpc_service: ServiceFactory) -> None:
    one, other, calc = nanorpc_service(programs.answers), nanorpc_service("programs:answers"), nanorpc_service(programs.calc, workers=1, timeout=0.1)
    assert one.answer() == other.answer() == 42
    assert one.describe().pid != other.describe().pid
    with pytest.raises(nanorpc.DeadlineExceeded):
        calc.pause(5)
    with pytest.raises(nanorpc.RemoteError) as caught:
        calc.method("fail").options(timeout=5)()
    assert "programs.py" in str(caught.value.traceback)


def test_ends_and_leaves_nothing() -> None:
    with run_service(bank, max_payload=1 << 20) as client:
        pid, directory = client.where()[0], Path("/proc", str(client.describe().pid), "cmdline").read_bytes().split(b"\0")
        place = Path(os.fsdecode(directory[directory.index(b"--directory") + 1]))
        assert client.max_payload == 1 << 20
        assert place.is_dir()
    assert gone(pid)
    assert not place.parent.exists()


def test_death(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(ServiceFailed, match=r"(?s)'calc' has died, with status 3. It has printed:.*the end") as caught,
        run_service(programs.calc) as client,
    ):
        client.die()
    assert isinstance(caught.value.__cause__, nanorpc.ServerGone)
    with pytest.raises(ServiceFailed, match="the end"), run_service(programs.calc) as client, pytest.raises(nanorpc.ServerGone):
        client.die()
    with pytest.raises(ValueError, match="other"), run_service(programs.calc):
        raise ValueError("other")


def test_killing() -> None:
    with ServiceProcess(bank) as process, process.connect() as client:
        assert process.service == "bank"
        process.kill()
        with pytest.raises(nanorpc.ServerGone):
            client.withdraw(1)
    assert gone(process.pid)


def test_asyncio(nanorpc_service: ServiceFactory) -> None:
    process = nanorpc_service.process(bank)

    async def work() -> int:
        async with nanorpc.aio.connect(process.service, directory=process.directory) as client:
            return int(await client.withdraw(1))

    assert asyncio.run(work()) == 99


def test_services_that_cannot_be_found() -> None:
    local = nanorpc.Service("local")

    @local.method
    def f() -> None: ...

    with pytest.raises(ServiceFailed, match="at the top level of a module"), run_service(local):
        pass
    with pytest.raises(ServiceFailed, match="there is no module 'nosuch'"), run_service("nosuch:service"):
        pass


def test_end_of_the_process_that_runs_it(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import os, nanorpc, nanorpc.testing\n"
        "service = nanorpc.Service('main')\n"
        "@service.method\n"
        "def pid() -> int: return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    with nanorpc.testing.run_service(service) as client:\n"
        "        print(client.pid(), flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:  # for what it leaves
        environment = {**os.environ, "TMPDIR": temporary}
        result = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment)
    assert result.returncode == -signal.SIGKILL
    pid = int(result.stdout)
    for _ in range(500):
        if gone(pid):
            return
        time.sleep(0.02)
    pytest.fail("the service runs on")


TEST = """
import os
import sys
import nanorpc

service = nanorpc.Service("here")

@service.method
def name() -> str:
    return __name__

@service.method
def die() -> None:
    print("the last words", file=sys.stderr)
    os._exit(1)

def test_good(nanorpc_service):
    client = nanorpc_service(service)
    assert client.name() == __name__

def test_bad(nanorpc_service):
    client = nanorpc_service(service)
    client.die()
"""


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_plugin(pytester: pytest.Pytester, mode: str) -> None:
    nested = pytester.mkdir("nested")
    (nested / "test_it.py").write_text(TEST)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", f"--import-mode={mode}", "nested")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ServerGone*", "*ServiceFailed: the process of service 'here' has died, with status 1. It has printed:*", "*the last words*"]
    )


def test_plugin_with_packages(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("app").joinpath("service.py").write_text(TEST.partition("def test_good")[0])
    tests = pytester.mkpydir("tests")
    (tests / "test_it.py").write_text(
        TEST
        + "from app.service import service as other\ndef test_other(nanorpc_service):\n    assert nanorpc_service(other).name() == 'app.service'\n"
    )
    result = pytester.runpytest_subprocess("-k", "not bad", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)


def test_plugin_costs_nothing() -> None:
    code = "import sys, pytest; before = set(sys.modules); import nanorpc.pytest_plugin; print(*set(sys.modules) - before)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout.split())
    assert not {"nanorpc._core", "nanorpc.testing", "nanorpc.codec", "msgspec", "numpy", "asyncio", "nanorpc.aio"} & loaded


def test_plugin_is_installed() -> None:
    assert "nanorpc.pytest_plugin" in [point.value for point in entry_points(group="pytest11")]
