"""The server."""

from __future__ import annotations

import logging
import mmap
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nanorpc._buffer import flat
from nanorpc._loader import checked, core
from nanorpc._place import service_directory
from nanorpc._segment import map_segment
from nanorpc.errors import STATUS_BITS, InvalidName, NanoRPCError, Status, status_of

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer

_log = logging.getLogger("nanorpc.server")

Function = TypeVar("Function", bound="Callable[[bytes], Buffer | None]")

_METHOD_BITS = 16
_CONNECTION_BITS = 27
_PLACE_SHIFT = 32
_PLACE_UNIT_SHIFT = 5
_LENGTH_MASK = (1 << _PLACE_SHIFT) - 1


class Server:
    """Serves functions from bytes to bytes under a name, to clients in Python, Go or any language.

    :param service: the name: 1 to 64 letters, digits, ``.``, ``_`` and ``-``.
    :param directory: where clients find it; else ``$NANORPC_DIR``, ``$XDG_RUNTIME_DIR/nanorpc`` or ``/tmp/nanorpc-<uid>``.
    :param arena: bytes of shared memory that each connection may take for requests, and again for replies, that do not fit in their slots.
    :param max_payload: the longest request and reply in bytes, up to the arena.
    :param spin: ``"adaptive"``, ``"busy"`` or ``"none"``: how long the core waits for calls by spinning before it sleeps.
    :param threads: how many threads run methods. They share Python's interpreter lock; more than one lets slow methods wait side by side.
    """

    def __init__(
        self,
        service: str,
        *,
        directory: str | None = None,
        arena: int = 1 << 30,
        max_payload: int = 256 << 20,
        spin: str = "adaptive",
        threads: int = 4,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads={threads}: use at least 1")
        self._service = service
        self._options = (service_directory(directory), spin, arena, max_payload)
        self._thread_count = threads
        self._methods: dict[str, Callable[[bytes], Any]] = {}
        self._running: _Running | None = None

    def __repr__(self) -> str:
        return f"<nanorpc.Server of {self._service!r} with {', '.join(self._methods) or 'no methods'}>"

    @property
    def service(self) -> str:
        """The name of the service."""
        return self._service

    @overload
    def method(self, function: Function) -> Function: ...
    @overload
    def method(self, *, name: str) -> Callable[[Function], Function]: ...
    def method(self, function: Function | None = None, *, name: str | None = None) -> Function | Callable[[Function], Function]:
        """Register a function as a method: ``@server.method``, or ``@server.method(name="other")``.

        The function gets the request as ``bytes`` and returns anything with the buffer protocol, or ``None`` for an empty reply. What it raises
        reaches the caller as a :class:`RemoteError` with the exception's type and text. Register before the server runs.
        """

        def register(function: Function) -> Function:
            method = name or function.__name__
            if self._running is not None:
                raise NanoRPCError(f"register {method!r} before the server runs")
            if method in self._methods:
                raise InvalidName(f"method {method!r} is registered already")
            self._methods[method] = function
            return function

        return register if function is None else register(function)

    def run(self) -> None:
        """Serve until SIGINT (Ctrl-C), SIGTERM or :meth:`shutdown`. Then calls in flight are answered, and nothing stays behind.

        Blocks. Called outside the main thread, which alone gets signals, only :meth:`shutdown` ends it.

        :raises ServiceInUse: another process serves this name.
        :raises NotAllowed: others can write to the service directory.
        :raises InvalidName: the service, or a method, has no valid name.
        :raises InvalidOption: a size that cannot be.
        """
        main = threading.current_thread() is threading.main_thread()
        stop = threading.Event()
        before = signal.signal(signal.SIGTERM, lambda *_: stop.set()) if main else None
        try:
            self.start()
            try:
                while not stop.wait(0.5) and self._running is not None and self._running.alive():
                    pass
            except KeyboardInterrupt:
                pass
            self.shutdown()
        finally:
            if main:
                signal.signal(signal.SIGTERM, before)

    def start(self) -> None:
        """Take the name and serve in threads of the server. When it returns clients can connect. Raises what :meth:`run` does."""
        if self._running is not None:
            raise NanoRPCError("the server runs already")
        self._running = _Running(self._service, self._options, self._methods, self._thread_count)

    def shutdown(self, timeout: float = 10.0) -> None:
        """Give the name back, answer the calls in flight, and end all connections.

        Blocks until that is done, for ``timeout`` seconds at most; then connections are cut. May be called from any thread, but not from a
        method. Does nothing if the server does not run.
        """
        running, self._running = self._running, None
        if running is not None:
            running.stop(timeout)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.shutdown()


class _Running:
    """A server that runs: its number in the core, its threads, and its maps of the connections' segments."""

    def __init__(self, service: str, options: tuple[str, str, int, int], methods: dict[str, Callable[[bytes], Any]], threads: int) -> None:
        self._core = core()
        self._handle = checked(self._core.pycore_ServerNew(service, *options))
        self._functions: list[Callable[[bytes], Any]] = []
        self._maps: dict[int, mmap.mmap] = {}  # by connection
        self._lock = threading.Lock()  # guards the maps
        try:
            for name, function in methods.items():
                checked(self._core.pycore_ServerHandle(self._handle, name))  # numbers count from 0
                self._functions.append(function)
            checked(self._core.pycore_ServerStart(self._handle))
        except BaseException:
            self._core.pycore_ServerForget(self._handle)
            raise
        self._threads = [threading.Thread(target=self._serve, name=f"nanorpc-{service}-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, timeout: float) -> None:
        self._core.pycore_ServerShutdown(self._handle, max(int(timeout * 1e9), 1))
        for thread in self._threads:
            thread.join(timeout + 1)  # a method that hangs keeps its daemon thread
        if not self.alive():
            self._core.pycore_ServerForget(self._handle)
            for segment in self._maps.values():
                segment.close()

    def _serve(self) -> None:
        """Answer calls until the server has shut down."""
        next_call, handle = self._core.pycore_ServerNext, self._handle
        while True:
            result = next_call(handle)
            if result >= 0:
                self._answer(result)
                continue
            status = status_of(result)
            if status is Status.CONNECTION:
                with self._lock:
                    segment = self._maps.pop(-result >> STATUS_BITS, None)
                if segment is not None:
                    segment.close()
            elif status is not Status.PENDING:
                return

    def _answer(self, packed: int) -> None:
        core, handle = self._core, self._handle
        ticket = packed >> (_METHOD_BITS + _CONNECTION_BITS)
        connection = packed >> _METHOD_BITS & ((1 << _CONNECTION_BITS) - 1)
        segment = self._maps.get(connection) or self._map(connection)
        place = core.pycore_CallRequest(handle, ticket)
        start = place >> _PLACE_SHIFT << _PLACE_UNIT_SHIFT
        failed = 0
        try:
            reply = self._functions[packed & ((1 << _METHOD_BITS) - 1)](segment[start : start + (place & _LENGTH_MASK)])
            if type(reply) is not bytes:
                reply = b"" if reply is None else flat(reply)
        except Exception as error:  # the caller's to know, whatever it is
            _log.debug("method failed", exc_info=True)
            failed, reply = 1, f"{type(error).__name__}: {error}".encode()[:4096]
        except BaseException as error:
            self._reply(segment, ticket, 1, f"{type(error).__name__}: {error}".encode()[:4096])
            raise
        self._reply(segment, ticket, failed, reply)

    def _reply(self, segment: mmap.mmap, ticket: int, failed: int, reply: bytes | memoryview) -> None:
        core, handle = self._core, self._handle
        length = len(reply)
        offset = core.pycore_CallReserve(handle, ticket, length)
        if offset < 0:
            core.pycore_CallReject(handle, ticket, offset)
            return
        segment[offset : offset + length] = reply
        core.pycore_CallReply(handle, ticket, failed)

    def _map(self, connection: int) -> mmap.mmap:
        """Map the segment of a connection with an open call, which keeps it."""
        with self._lock:
            if connection not in self._maps:
                descriptor = self._core.pycore_ConnectionDescriptor(self._handle, connection)
                self._maps[connection] = map_segment(descriptor, self._core.pycore_ServerSize(self._handle))
            return self._maps[connection]
