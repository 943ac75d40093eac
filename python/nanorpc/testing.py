"""Services in processes of their own, for tests. With pytest, use the fixture ``nanorpc_service``, which installing this package brings along::

    def test_hello(nanorpc_service):
        client = nanorpc_service(greeter.service)
        assert client.hello("world") == "hello, world"

Without, or for a fixture of wider scope::

    with nanorpc.testing.run_service(greeter.service) as client:
        assert client.hello("world") == "hello, world"

Each service has a directory of its own, so that tests may run side by side.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypedDict

from nanorpc._locate import target_of
from nanorpc.client import Client, connect
from nanorpc.errors import NanoRPCError, ServerGone, ServerNotFound
from nanorpc.remote import ErrorRegistry
from nanorpc.service import Service
from nanorpc.services import services

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

__all__ = ["ServerOptions", "ServiceFactory", "ServiceFailed", "ServiceProcess", "run_service"]

_START = 60.0  # s: how long a service may take to start; its modules may import much
_END = 15.0  # s: calls in flight are given 10
_DEATH = 1.0  # s: how long after its connections a process that dies may be there
_POLL = 0.01  # s
_LONGEST = 40  # characters of the directory for temporary files: a socket's path may have 107


class ServerOptions(TypedDict, total=False):
    """How the service is served; see :class:`nanorpc.Server`. Tracebacks are sent unless something else is said."""

    workers: int
    arena: int
    max_payload: int
    spin: str
    traceback: bool
    pickle: bool
    seals: bool


class ServiceFailed(NanoRPCError):
    """A service's process has not started, or not ended as it should; ``str()`` has what it has printed."""


@contextlib.contextmanager
def run_service(
    service: Service | str, *, timeout: float | None = 30.0, errors: ErrorRegistry | None = None, **options: Unpack[ServerOptions]
) -> Iterator[Client]:
    """Run a service in a process of its own, for the time of the ``with`` block, and give a client that is connected to it.

    :param service: a service that is an attribute of a module, or its place, as for ``nanorpc serve``: ``"app:service"``.
    :param timeout: seconds for each call for which nothing else is said; ``None``: no limit.
    :param errors: the exceptions that may come back as themselves; else those of the service, if it is given itself.
    :raises ServiceFailed: the service cannot be found or started, or its process has died meanwhile.
    """
    with ServiceProcess(service, **options) as process, process.connect(timeout=timeout, errors=errors) as client:
        yield client


class ServiceProcess:
    """A service in a process of its own, from the beginning to the end of a ``with`` block. What it has printed goes to ``sys.stderr`` at the end.

    :param service: as for :func:`run_service`.
    """

    def __init__(self, service: Service | str, **options: Unpack[ServerOptions]) -> None:
        self._errors = service.errors if isinstance(service, Service) else None
        self._pickle = options.get("pickle", False)
        if isinstance(service, Service):
            try:
                service = target_of(service)
            except LookupError as error:
                raise ServiceFailed(str(error)) from None
        self._target = service
        self._options = options
        self._killed = False
        self._stack = contextlib.ExitStack()

    def __repr__(self) -> str:
        return f"<nanorpc.testing.ServiceProcess of {self._target!r}>"

    def __enter__(self) -> ServiceProcess:
        temporary = tempfile.gettempdir()
        within = temporary if len(temporary) <= _LONGEST else "/tmp"
        with contextlib.ExitStack() as stack:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nanorpc-", dir=within)))
            self._directory, self._output = root / "services", root / "output"
            with self._output.open("wb") as output:
                self._process = subprocess.Popen(self._command(), stdin=subprocess.PIPE, stdout=output, stderr=output, env=_environment())
            stack.callback(self._end)
            self._service = self._started()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, ServerGone):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_DEATH)
        died = self._process.poll() is not None
        with self._stack:
            status = self._end()
            printed = self.output()
        if (died or status) and not self._killed and (error is None or isinstance(error, ServerGone)):
            raise ServiceFailed(_with(f"the process of service {self._service!r} has died, with status {status}", printed)) from error
        if printed:
            print(f"{self._service}: {printed.rstrip()}", file=sys.stderr)

    @property
    def service(self) -> str:
        """The name of the service."""
        return self._service

    @property
    def directory(self) -> str:
        """Where it is found, as for :func:`nanorpc.connect` and :func:`nanorpc.aio.connect`."""
        return str(self._directory)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def connect(self, *, timeout: float | None = 30.0, errors: ErrorRegistry | None = None) -> Client:
        """Return a client that is connected to it. See :func:`run_service` for the parameters."""
        return connect(self._service, directory=self.directory, timeout=timeout, errors=errors or self._errors, pickle=self._pickle)

    def output(self) -> str:
        """Return what it has printed so far."""
        return self._output.read_text(errors="replace")

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would. It is no failure then that it has died. Blocks until it is gone."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "nanorpc", "serve", self._target, "--directory", self.directory, "--until-eof", "--quiet"]
        for name, value in {"traceback": True, **self._options}.items():
            option = "--" + name.replace("_", "-")
            if name == "seals":
                command += [] if value else ["--no-seals"]
            else:
                command += [option] * value if isinstance(value, bool) else [option, str(value)]
        return command

    def _started(self) -> str:
        """Wait until it can be called, and return its name."""
        end = time.monotonic() + _START
        while self._process.poll() is None:
            if time.monotonic() > end:
                raise ServiceFailed(_with(f"{self._target} has not started within {_START:.0f} s", self.output()))
            for name in services(self.directory) if self._directory.exists() else []:
                with contextlib.suppress(ServerNotFound), connect(name, directory=self.directory, spin="none"):
                    return name
            time.sleep(_POLL)
        raise ServiceFailed(_with(f"{self._target} cannot be served", self.output()))

    def _end(self) -> int:
        """End the process if it runs, and return its status."""
        self._process.terminate()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class ServiceFactory:
    """What the fixture ``nanorpc_service`` is: it runs services until the test ends."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(
        self, service: Service | str, *, timeout: float | None = 30.0, errors: ErrorRegistry | None = None, **options: Unpack[ServerOptions]
    ) -> Client:
        """Run a service and return a client that is connected to it. See :func:`run_service`."""
        return self._stack.enter_context(run_service(service, timeout=timeout, errors=errors, **options))

    def process(self, service: Service | str, **options: Unpack[ServerOptions]) -> ServiceProcess:
        """Run a service and return its process: for other clients, such as :mod:`nanorpc.aio`'s, and to kill it."""
        return self._stack.enter_context(ServiceProcess(service, **options))


def _environment() -> dict[str, str]:
    """Return the environment in which modules are found as in this process."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path), "PYTHONUNBUFFERED": "1"}


def _with(reason: str, printed: str) -> str:
    return f"{reason}. It has printed:\n{printed.rstrip()}" if printed.strip() else f"{reason}, and has printed nothing"
