"""The client."""

from __future__ import annotations

import threading
import time
import warnings
from types import TracebackType
from typing import TYPE_CHECKING

from nanorpc._buffer import flat
from nanorpc._loader import check_fork, checked, core, failure, forked
from nanorpc._place import service_directory
from nanorpc._segment import map_segment
from nanorpc.errors import Status, exception, status_of
from nanorpc.introspection import DESCRIBE, STATS, ServiceInfo, Stats, decode

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer

_PLACE_SHIFT = 32
_PLACE_UNIT_SHIFT = 5
_LENGTH_MASK = (1 << _PLACE_SHIFT) - 1


def connect(service: str, *, directory: str | None = None, timeout: float = 5.0, spin: str = "adaptive") -> Client:
    """Connect to the server of a service.

    :param service: its name.
    :param directory: where services are found; else ``$NANORPC_DIR``, ``$XDG_RUNTIME_DIR/nanorpc`` or ``/tmp/nanorpc-<uid>``.
    :param timeout: how many seconds connecting may take, up to 5.
    :param spin: ``"adaptive"`` waits for a reply by spinning for up to 50 µs, and then sleeps; ``"busy"`` never sleeps; ``"none"`` never spins.
    :raises ServerNotFound: nobody serves this name.
    :raises NotAllowed: the server is another user's, or others can write to the directory.
    :raises SharedMemoryExhausted: /dev/shm has no room for the connection.
    :raises DeadlineExceeded: the server has not answered in time.
    """
    handle = checked(core().pycore_Dial(service, service_directory(directory), spin, max(int(timeout * 1e9), 1)))
    return Client(service, handle)


class Client:
    """A connection to a server, made by :func:`connect`. It is a context manager that closes the connection.

    All methods may be called from several threads at once. Up to 256 calls are in flight; more wait their turn.
    """

    def __init__(self, service: str, handle: int) -> None:
        self._closed = True  # until there is something to close
        self._core = core()
        self._service = service
        self._handle = handle
        try:
            self._map = map_segment(self._core.pycore_ClientDescriptor(handle), self._core.pycore_ClientSize(handle))
        except BaseException:
            self._core.pycore_ClientClose(handle)
            self._core.pycore_ClientForget(handle)
            raise
        self._inline = self._core.pycore_InlineCapacity()
        self._call = self._core.pycore_Call
        self._methods: dict[str, int] = {}
        # Slots that no thread uses, each with the offset of its inline payload. Appending and popping are atomic.
        self._idle: list[tuple[int, int]] = []
        self._waiting = 0  # threads that wait for a slot of the core: slots go back there meanwhile
        self._lock = threading.Lock()  # guards what follows
        self._acquired = 0  # slots taken from the core
        self._forgotten = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<nanorpc.Client of {self._service!r}{', closed' if self._closed else ''}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)
            self.close()

    @property
    def service(self) -> str:
        """The name of the service."""
        return self._service

    @property
    def max_payload(self) -> int:
        """The longest request and reply, in bytes."""
        return checked(self._core.pycore_ClientMaxPayload(self._handle))

    def call(self, method: str, payload: Buffer = b"", *, timeout: float | None = None) -> bytes:
        """Call a method and return its reply. Blocks until the reply is there; signals are handled meanwhile.

        :param method: the method's name.
        :param payload: the request: ``bytes`` or anything else with the buffer protocol, in C order. It is copied before the call.
        :param timeout: how many seconds the call may take; ``None``: for ever.
        :raises RemoteError: the method failed; the message is its error's.
        :raises DeadlineExceeded: the timeout has passed.
        :raises UnknownMethod: the server has no such method.
        :raises PayloadTooLarge: the request or the reply exceeds the server's limit.
        :raises ServerGone: the server has died or closed.
        :raises ClientClosed: this client is closed, perhaps by another thread during the call.
        :raises ForkError: this process was forked from the one that connected.
        """
        check_fork()
        if type(payload) is not bytes:
            payload = flat(payload)
        length = len(payload)
        number = self._methods.get(method)
        if number is None:
            number = self._methods[method] = self._core.pycore_MethodID(method)
        deadline = 0 if timeout is None else time.monotonic_ns() + max(int(timeout * 1e9), 1)
        try:
            slot, offset = entry = self._idle.pop()
        except IndexError:
            slot, offset = entry = self._acquire(deadline)
        submitted = False
        try:
            if length > self._inline:
                offset = self._reserve(slot, length, deadline)
            self._map[offset : offset + length] = payload
            submitted = True
            result = self._call(self._handle, slot, number, offset, length, deadline)
            if result < 0:
                result = self._finish(slot, result, method, deadline)
            size = result & _LENGTH_MASK
            start = result >> _PLACE_SHIFT << _PLACE_UNIT_SHIFT
            reply = self._map[start : start + size]
            if size > self._inline or length > self._inline:
                self._core.pycore_Recycle(self._handle, slot)
        except BaseException:
            # Also a KeyboardInterrupt: the call goes on without us, and the slot is free when it has ended.
            self._drop(slot, submitted)
            raise
        if self._waiting or self._closed:
            self._drop(slot, False)
        else:
            self._idle.append(entry)
            if self._closed:  # after the append: close() may have looked before it
                self._drop_idle()
        return reply

    def describe(self, *, timeout: float | None = 5.0) -> ServiceInfo:
        """Ask the server for its methods and limits. Blocks until it has answered.

        :param timeout: how many seconds that may take; ``None``: for ever.
        :raises Incompatible: the answer is not understood. Else raises what :meth:`call` does.
        """
        return decode(self._service, self.call(DESCRIBE, timeout=timeout), ServiceInfo)

    def stats(self, *, timeout: float | None = 5.0) -> Stats:
        """Ask the server what it has counted since it was made: calls, errors, times, memory. Blocks until it has answered.

        This connection, and its calls of this method, are counted with the rest. To ask again and again beside work that is to be quick,
        use a client that was connected with ``spin="none"``.

        :param timeout: how many seconds that may take; ``None``: for ever.
        :raises Incompatible: the answer is not understood. Else raises what :meth:`call` does.
        """
        return decode(self._service, self.call(STATS, timeout=timeout), Stats)

    def close(self) -> None:
        """End the connection. Calls in other threads raise :class:`ClientClosed`. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        if forked():  # the connection is the parent's
            return
        self._core.pycore_ClientClose(self._handle)
        self._drop_idle()
        self._forget_if_unused()

    def _acquire(self, deadline: int) -> tuple[int, int]:
        """Take a slot from the core."""
        with self._lock:
            if self._forgotten:
                raise exception(Status.CLOSED)
            self._acquired += 1  # before the slot is ours: the map must stay
            self._waiting += 1
        result = -Status.PENDING
        try:
            while result == -Status.PENDING:
                result = self._core.pycore_Acquire(self._handle, deadline)
                if result == -Status.PENDING and self._idle:
                    try:
                        return self._idle.pop()
                    except IndexError:
                        pass
        finally:
            with self._lock:
                self._waiting -= 1
                if result < 0:
                    self._acquired -= 1
            if result < 0:
                self._forget_if_unused()
        if result < 0:
            raise failure(result)
        return result, self._core.pycore_Reserve(self._handle, result, 0, 0)

    def _reserve(self, slot: int, length: int, deadline: int) -> int:
        """Return the offset for a request that does not fit in its slot."""
        result = -Status.PENDING
        while result == -Status.PENDING:
            result = self._core.pycore_Reserve(self._handle, slot, length, deadline)
        if result == -Status.TOO_LARGE:
            raise exception(Status.TOO_LARGE, f"a request of {length} bytes; the server accepts {self.max_payload}")
        return checked(result)

    def _finish(self, slot: int, result: int, method: str, deadline: int) -> int:
        """Wait for a call that has not ended with a reply yet. Returns the place of the reply, or raises."""
        while result == -Status.PENDING:
            result = self._core.pycore_Await(self._handle, slot, deadline)
        if result >= 0:
            return result
        status = status_of(result)
        text = ""
        if status in (Status.REMOTE, Status.TOO_LARGE, Status.EXHAUSTED):
            place = self._core.pycore_Reply(self._handle, slot)
            if place >= 0:
                start = place >> _PLACE_SHIFT << _PLACE_UNIT_SHIFT
                text = self._map[start : start + (place & _LENGTH_MASK)].decode(errors="replace")
        elif status is Status.UNKNOWN_METHOD:
            text = f"service {self._service} has no method {method!r}"
        elif status is Status.DEADLINE:
            text = f"no reply to {method} in time"
        raise exception(status, text)

    def _drop(self, slot: int, submitted: bool) -> None:
        """Give a slot back to the core."""
        if submitted:
            self._core.pycore_Abandon(self._handle, slot)
        else:
            self._core.pycore_Release(self._handle, slot)
        with self._lock:
            self._acquired -= 1
        self._forget_if_unused()

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                slot, _ = self._idle.pop()
            except IndexError:
                return
            self._drop(slot, False)

    def _forget_if_unused(self) -> None:
        """Unmap the segment of a closed client that no thread uses."""
        with self._lock:
            if not self._closed or self._acquired or self._forgotten:
                return
            self._forgotten = True
        self._map.close()
        self._core.pycore_ClientForget(self._handle)
