"""The examples in README.md and docs/python.md do what they say: what they print is in the comments behind the prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nanorpc.testing import ServiceProcess

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\)  +# (.*)$", re.MULTILINE)
TEXT = (ROOT / "docs" / "python.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}


def blocks(text: str, language: str) -> list[str]:
    return [block for kind, block in BLOCK.findall(text) if kind == language]


def run(command: list[str], directory: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Not in development mode, in which asyncio tells of what is slow, as on a loaded machine everything may be.
    environment = {**os.environ, "NANORPC_DIR": directory, "PYTHONWARNINGS": "error", "PYTHONDEVMODE": ""}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd, env=environment)


@pytest.mark.parametrize("section", [name for name, text in SECTIONS.items() if blocks(text, "python")])
def test_section(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server, *clients = blocks(SECTIONS[section], "python")
    heading, _, _ = server.partition("\n")
    assert heading.startswith("# server.py")
    (tmp_path / "server.py").write_text(server)
    with ServiceProcess("server.py:service", traceback=False, pickle="--pickle" in heading) as process:
        for client in clients:
            if client.startswith("# test_"):
                check_tests(client, process, tmp_path)
            else:
                check_client(client, process, tmp_path)
        for console in blocks(SECTIONS[section], "console"):
            check_console(console, process, tmp_path)


def test_readme(tmp_path: Path) -> None:
    server, client = blocks((ROOT / "README.md").read_text(), "python")
    (tmp_path / "greeter.py").write_text(server)
    with ServiceProcess(f"{tmp_path / 'greeter.py'}:service") as process:
        (tmp_path / "client.py").write_text(client)
        result = run([sys.executable, "client.py"], process.directory, tmp_path)
        assert (result.stdout, result.stderr) == ("hello, world\n", "")


def check_client(code: str, process: ServiceProcess, cwd: Path) -> None:
    own = "nanorpc.connect(" in code or "aio.connect(" in code
    before = "import nanorpc\n" if own else f"import nanorpc\nclient = nanorpc.connect({process.service!r})\n"
    (cwd / "client.py").write_text(before + code + ("" if own else "\nclient.close()\n"))
    result = run([sys.executable, "client.py"], process.directory, cwd)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == PRINTED.findall(code)


def check_tests(code: str, process: ServiceProcess, cwd: Path) -> None:
    (cwd / "test_server.py").write_text(code)
    result = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], process.directory, cwd)
    assert result.returncode == 0, result.stdout


def check_console(text: str, process: ServiceProcess, cwd: Path) -> None:
    for part in text.split("$ ")[1:]:
        command, _, printed = part.partition("\n")
        name, *arguments = shlex.split(command)
        assert name == "nanorpc"
        result = run([sys.executable, "-m", "nanorpc", *arguments], process.directory, cwd)
        assert result.stdout + result.stderr == printed


def test_links() -> None:
    anchors = {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in SECTIONS}
    for document in (ROOT / "docs" / "python.md", ROOT / "README.md"):
        for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
            if target.startswith("#"):
                assert target[1:] in anchors
            elif "://" not in target:
                assert (document.parent / target.partition("#")[0]).exists()
    assert anchors <= {target[1:] for target in re.findall(r"\]\(([^)]+)\)", TEXT)}
