"""The server."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nanorpc._channel import nanoseconds
from nanorpc._loader import check_fork, checked, core, forked
from nanorpc._place import Directory, service_directory
from nanorpc.errors import InvalidOption, NanoRPCError

if TYPE_CHECKING:
    from nanorpc._tasks import Tasks
    from nanorpc.codec import Codec
    from nanorpc.service import Method, Service


def serve(
    service: Service,
    *,
    workers: int = 4,
    directory: Directory | None = None,
    arena: int = 1 << 30,
    max_payload: int = 256 << 20,
    spin: str = "adaptive",
    traceback: bool = False,
    pickle: bool = False,
    seals: bool = True,
) -> None:
    """Serve until SIGINT (Ctrl-C) or SIGTERM. Then calls in flight are answered, and nothing stays behind. See :class:`Server` for the parameters
    and :meth:`Server.run` for the rest.
    """
    Server(
        service,
        workers=workers,
        directory=directory,
        arena=arena,
        max_payload=max_payload,
        spin=spin,
        traceback=traceback,
        pickle=pickle,
        seals=seals,
    ).run()


class Server:
    """Serves the methods of a service, to clients in Python, Go or any language. As a context manager it serves in the background.

    :param service: what it serves.
    :param workers: how many threads run methods that are no coroutine functions. They share Python's interpreter lock; more than one lets methods
        wait side by side. One that calls keep coming to takes them itself, without another thread between.
    :param directory: where clients find it; else ``$NANORPC_DIR``, ``$XDG_RUNTIME_DIR/nanorpc`` or ``/tmp/nanorpc-<uid>``.
    :param arena: bytes of shared memory that each connection may take for requests, and again for replies, that do not fit in their slots.
    :param max_payload: the longest request and reply in bytes, up to the arena.
    :param spin: ``"adaptive"``, ``"busy"`` or ``"none"``: how long the core waits for calls by spinning before it sleeps.
    :param traceback: callers get the tracebacks of exceptions: they tell of the server's files and code.
    :param pickle: accept and send by :mod:`pickle` what MessagePack does not know: only for clients that you trust.
    :param seals: give clients memory that they cannot make shorter, which would end the server with SIGBUS. It does not count towards the limit of
        /dev/shm: what connections take is bounded by the arena of each, and by the memory of the machine or of the control group.
    :raises InvalidOption: a number of workers that cannot be.
    """

    def __init__(
        self,
        service: Service,
        *,
        workers: int = 4,
        directory: Directory | None = None,
        arena: int = 1 << 30,
        max_payload: int = 256 << 20,
        spin: str = "adaptive",
        traceback: bool = False,
        pickle: bool = False,
        seals: bool = True,
    ) -> None:
        if workers < 1:
            raise InvalidOption(f"workers={workers}: use at least 1")
        self._service = service
        self._options = (service_directory(directory), spin, arena, max_payload, int(seals))
        self._workers = workers
        self._traceback = traceback
        self._pickle = pickle
        self._running: _Running | None = None

    def __repr__(self) -> str:
        return f"<nanorpc.Server of {self._service!r}>"

    @property
    def service(self) -> Service:
        """What it serves."""
        return self._service

    def run(self) -> None:
        """Serve until SIGINT (Ctrl-C), SIGTERM or :meth:`shutdown`. Then calls in flight are answered, and nothing stays behind.

        Blocks. Called outside the main thread, which alone gets signals, only :meth:`shutdown` ends it.

        :raises ServiceInUse: another process serves this name.
        :raises NotAllowed: others can write to the service directory.
        :raises InvalidName: the service has no valid name.
        :raises InvalidOption: a size that cannot be.
        :raises TypeError: a method has hints that cannot be understood.
        """
        main = threading.current_thread() is threading.main_thread()
        stop: SimpleQueue[None] = SimpleQueue()  # a handler of signals may put into it, at any time
        before = {number: signal.signal(number, lambda *_: stop.put(None)) for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
        try:
            self.start()
            try:
                while self._running is not None and self._running.alive():
                    with suppress(Empty):
                        stop.get(timeout=0.5)
                        break
            finally:
                if main:
                    signal.signal(signal.SIGINT, before[signal.SIGINT])  # a second Ctrl-C ends the shutdown
                self.shutdown()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self) -> None:
        """Take the name and serve in threads of the server. When it returns clients can connect. Raises what :meth:`run` does."""
        check_fork()
        if self._running is not None:
            raise NanoRPCError("the server runs already")
        from nanorpc.codec import Codec

        codec = Codec(pickle=self._pickle)
        self._running = _Running(self._service, self._options, self._service.freeze(codec), codec, self._workers, self._traceback)

    def shutdown(self, timeout: float = 10.0) -> None:
        """Give the name back, answer the calls in flight, and end all connections.

        Blocks until that is done, for ``timeout`` seconds at most; then connections are cut, and coroutines cancelled. May be called from any
        thread, but not from a method. Does nothing if the server does not run.
        """
        running, self._running = self._running, None
        if running is not None and not forked():  # else it is the parent's
            running.stop(timeout)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.shutdown()


def _detail(method: Method) -> dict[str, Any]:
    """Return what the server says of a method: docs/protocol.md, section 7."""
    said = method.describe()
    for parameter in said["parameters"]:
        parameter["schema"] = json.dumps(parameter["schema"]) if parameter["schema"] else ""
        parameter["default"] = json.dumps(parameter["default"]) if "default" in parameter else ""
    return {**said, "coroutine": said["async"]}


class _Running:
    """A server that runs: its number in the core, and its threads."""

    def __init__(
        self,
        service: Service,
        options: tuple[str, str, int, int, int],
        methods: Mapping[str, Method],
        codec: Codec,
        workers: int,
        traceback: bool,
    ) -> None:
        from nanorpc._answers import Shared
        from nanorpc._worker import Worker

        self._core = core()
        self._service = service
        self._codec = codec
        self._lock = threading.Lock()  # guards the making of the tasks
        self._tasks: Tasks | None = None
        self._handle = checked(self._core.pycore_ServerNew(service.name, *options))
        made: list[Worker] = []
        try:
            for name in methods:
                checked(self._core.pycore_ServerHandle(self._handle, name))  # numbers count from 0
            details = {"version": service.version, "doc": service.doc, "methods": [_detail(method) for method in methods.values()]}
            checked(self._core.pycore_ServerDescribe(self._handle, json.dumps(details)))
            shared = Shared(self._handle, service, traceback)
            made.extend(Worker(shared, list(methods.values()), codec, self._tasks_of) for _ in range(workers))
            checked(self._core.pycore_ServerStart(self._handle))
        except BaseException:
            for worker in made:
                worker.close()
            self._core.pycore_ServerForget(self._handle)
            raise
        self._threads = [threading.Thread(target=worker.run, name=f"nanorpc-{service.name}-{i}", daemon=True) for i, worker in enumerate(made)]
        for thread in self._threads:
            thread.start()

    def _tasks_of(self) -> Tasks:
        """Return the loop for coroutine functions, which the first call of one starts."""
        with self._lock:
            if self._tasks is None:
                from nanorpc._tasks import Tasks

                self._tasks = Tasks(self._service.name, self._codec, self._is_open)
            return self._tasks

    def _is_open(self, ticket: int) -> bool:
        return bool(self._core.pycore_CallOpen(self._handle, ticket))

    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, timeout: float) -> None:
        self._core.pycore_ServerShutdown(self._handle, nanoseconds(timeout))
        end = time.monotonic() + timeout + 1
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))  # a method that hangs keeps its daemon thread
        if self._tasks is not None:
            self._tasks.stop(max(end - time.monotonic(), 1))
        if not self.alive():
            self._core.pycore_ServerForget(self._handle)
