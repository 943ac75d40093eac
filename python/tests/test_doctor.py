from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from nanorpc.doctor import Finding, Verdict, kernel, limits, loop, memory, place, processors
from nanorpc.doctor.quota import quota

CHECKS = {
    "kernel",
    "shared memory",
    "service directory",
    "open files",
    "file size",
    "address space",
    "CPUs",
    "extension",
    "fork",
    "round trip",
}


def doctor(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nanorpc", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, **(environment or {})})


def by_check(result: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    assert result.stderr == ""
    return {finding["check"]: finding for finding in json.loads(result.stdout)}


def test_no_problem(directory: Path) -> None:
    result = doctor("--json")
    findings = by_check(result)
    assert findings.keys() == CHECKS
    assert result.returncode == 0, findings
    assert all(f["verdict"] in ("ok", "warning") and (f["verdict"] == "ok") == (f["remedy"] == "") for f in findings.values())
    assert str(directory) in findings["service directory"]["found"]
    assert "µs" in findings["round trip"]["found"] or "ms" in findings["round trip"]["found"]
    assert list(directory.iterdir()) == []


def test_problem_of_the_directory(directory: Path) -> None:
    directory.chmod(0o777)
    result = doctor("--json")
    assert result.returncode == 1
    assert [check for check, f in by_check(result).items() if f["verdict"] == "problem"] == ["service directory"]

    result = doctor()
    assert result.returncode == 1
    assert "mode 0777: others can write" in result.stdout.replace("\n         ", " ")
    assert f"chmod 700 {directory}" in result.stdout.replace("\n         ", " ")
    lines = result.stdout.splitlines()
    assert all(line.startswith(("ok  ", "warning  ", "problem  ", "         ")) for line in lines)
    assert all(len(line) <= 80 or str(directory) in line or sys.prefix in line for line in lines)


def test_extension_that_does_not_load(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['nanorpc._core'] = None\n")
    result = doctor("--json", environment={"PYTHONPATH": str(tmp_path)})
    findings = by_check(result)
    assert result.returncode == 1
    assert findings["extension"]["verdict"] == "problem"
    assert "pip install ." in findings["extension"]["remedy"]
    assert "round trip" not in findings


def verdict(finding: Finding) -> Verdict:
    assert (finding.verdict is Verdict.OK) == (finding.remedy == "")
    return finding.verdict


def test_directories(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(good)
    (tmp_path / "file").touch()
    (tmp_path / "group").mkdir()
    (tmp_path / "group").chmod(0o770)
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    assert verdict(place.directory(str(good))) is Verdict.OK
    assert verdict(place.directory(str(tmp_path / "later" / "on"))) is Verdict.OK
    assert not (tmp_path / "later").exists()
    for name in ("link", "file", "group", "sticky", "n" * 110):
        assert verdict(place.directory(str(tmp_path / name))) is Verdict.PROBLEM, name
    assert "chmod" not in place.directory(str(tmp_path / "sticky")).remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
def test_directory_of_another_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 1, -1)
    assert verdict(place.directory(str(tmp_path))) is Verdict.PROBLEM


def test_kernels() -> None:
    assert verdict(kernel.version("Linux", "6.1.0-generic")) is Verdict.OK
    assert verdict(kernel.version("Linux", "3.10.0")) is Verdict.PROBLEM
    assert verdict(kernel.version("Darwin", "23.0")) is Verdict.PROBLEM


def test_processors() -> None:
    many = 1e9  # CPUs: no quota that counts
    assert verdict(processors.processors({0, 1}, 4, many)) is Verdict.OK
    assert "taskset" in processors.processors({3}, 4, many).remedy
    assert verdict(processors.processors({0}, 1, many)) is Verdict.WARNING
    assert processors.processors({0, 1, 2, 3}, 4, 2.5).found == "4 of 4 may be used, for the time of 2.5"
    few = processors.processors({0, 1, 2, 3}, 4, 1.5)
    assert verdict(few) is Verdict.WARNING
    assert "--cpus" in few.remedy
    assert 'spin="none"' in few.remedy


def test_quota_of_version_2(tmp_path: Path) -> None:
    inner = tmp_path / "a.slice" / "b.scope"
    inner.mkdir(parents=True)
    groups = "1:name=systemd:/elsewhere\n0::/a.slice/b.scope\n"
    assert quota(groups, tmp_path) is None
    (inner / "cpu.max").write_text("max 100000\n")
    assert quota(groups, tmp_path) is None
    (tmp_path / "a.slice" / "cpu.max").write_text("50000 100000\n")
    assert quota(groups, tmp_path) == 0.5
    (inner / "cpu.max").write_text("150000 100000\n")
    assert quota(groups, tmp_path) == 0.5
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert quota("0::/\n", tmp_path) == 0.2
    assert quota("0::/../outside\n", tmp_path) == 0.2
    assert quota("", tmp_path) is None


def test_quota_of_version_1(tmp_path: Path) -> None:
    group = tmp_path / "cpu,cpuacct"
    group.mkdir()
    groups = "4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n0::/\n"
    for allowed, cpus in (("-1", None), ("300000", 3.0)):
        (group / "cpu.cfs_quota_us").write_text(f"{allowed}\n")
        (group / "cpu.cfs_period_us").write_text("100000\n")
        assert quota(groups, tmp_path) == cpus  # where the container sees its own group as the root


def test_file_systems() -> None:
    mounts = "root / ext4 rw 0 0\ntmpfs /dev tmpfs rw 0 0\nshm /dev/shm ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\nx /with\\040space xfs rw 0 0\n"
    for path, kind in (("/dev/shm", "tmpfs"), ("/devices", "ext4"), ("/with space/in", "xfs")):
        assert memory.file_system(path, mounts) == kind
    assert verdict(memory.shared_memory("/proc/self")) is Verdict.PROBLEM
    assert verdict(memory.shared_memory("/no/such/directory")) is Verdict.PROBLEM


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, check, bad in (
        (256, limits.open_files, Verdict.WARNING),
        (1 << 20, limits.file_size, Verdict.PROBLEM),
        (4 << 30, limits.address_space, Verdict.WARNING),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert verdict(check()) is bad
        monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert verdict(check()) is Verdict.OK


def test_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setattr(loop, "_SERVICE", "-no name-")
    finding = loop.round_trip()
    assert verdict(finding) is Verdict.PROBLEM
    assert "-no name-" in finding.found
