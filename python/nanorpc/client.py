"""The client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nanorpc._channel import dial
from nanorpc._client import BaseClient
from nanorpc._line import CONNECT_TIMEOUT, Line, checked_patience
from nanorpc._place import Directory
from nanorpc._tools import Tools, described
from nanorpc.batch import Batch
from nanorpc.errors import NanoRPCError
from nanorpc.introspection import DESCRIBE, STATS, MethodInfo, ServiceInfo, Stats, decode
from nanorpc.loan import Lease, Loan
from nanorpc.method import Method

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc._channel import Channel
    from nanorpc.remote import ErrorRegistry

Result = TypeVar("Result")
Interface = TypeVar("Interface")

_DIR_TIMEOUT = 0.5
"""Seconds that :func:`dir` may wait for the server."""


def connect(
    service: str,
    *,
    directory: Directory | None = None,
    timeout: float | None = None,
    spin: str = "adaptive",
    errors: ErrorRegistry | None = None,
    pickle: bool = False,
    reconnect: float | None = None,
    seals: bool = False,
) -> Client:
    """Connect to the server of a service. Blocks until it has answered; signals are handled meanwhile.

    :param service: its name.
    :param directory: where services are found; else ``$NANORPC_DIR``, ``$XDG_RUNTIME_DIR/nanorpc`` or ``/tmp/nanorpc-<uid>``.
    :param timeout: how many seconds connecting may take, and each call for which nothing else is said; ``None``: 5 seconds to connect, and no
        limit for calls.
    :param spin: ``"adaptive"`` waits for a reply by spinning for up to 50 µs, or longer where that pays or long payloads are copied, and then sleeps;
        ``"busy"`` never sleeps; ``"none"`` never spins.
    :param errors: the exceptions that may come back as themselves.
    :param pickle: send what MessagePack does not know by :mod:`pickle`, and unpickle what the server has sent so: only for a server that you trust.
    :param reconnect: go on with the next server when this one has gone. Calls in flight raise :class:`ServerGone` all the same, as they may have run;
        whoever calls next connects, and waits for a server so many seconds at most, or for its timeout if that is less. ``None``: all later calls
        raise :class:`ServerGone`. Connecting itself does not wait for a server that is not there yet.
    :param seals: ask for memory that the server cannot make shorter, which would end this process with SIGBUS. Servers in Python give it unasked.
    :raises ServerNotFound: nobody serves this name.
    :raises NotAllowed: the server is another user's, or others can write to the directory.
    :raises SharedMemoryExhausted: /dev/shm has no room for the connection.
    :raises DeadlineExceeded: the server has not answered in time.
    """
    given_up = threading.Event()

    def attempt(seconds: float) -> Channel:
        return dial(service, directory, seconds, spin, errors, seals, given_up)

    patience = checked_patience(reconnect)
    return Client(Line(attempt(CONNECT_TIMEOUT if timeout is None else timeout), attempt, patience, given_up), timeout, pickle)


class Client(BaseClient[Method[Any]]):
    """A connection to a server, made by :func:`connect`. It is a context manager that closes the connection.

    The service's methods are attributes: ``client.add(2, 3)``. See :class:`Method`. One whose name is an attribute of the client itself, or no
    identifier, is ``client.method("close")``.

    All methods may be called from several threads at once. Up to 256 calls are in flight; more wait their turn.
    """

    def __init__(self, line: Line, timeout: float | None, pickle: bool) -> None:
        super().__init__(line, timeout)
        self._tools = Tools(line, pickle)
        if timeout is None:
            # The method below says what it does. One call of a Python function less is a twentieth of the round trip.
            self.__dict__["call"] = self._tools.call

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        methods: list[str] = []
        with suppress(NanoRPCError):  # there is no server to ask
            methods.extend(method.name for method in self.methods(timeout=_DIR_TIMEOUT))
        return sorted({*super().__dir__(), *methods})

    def _method(self, name: str) -> Method[Any]:
        return self.method(name)

    def call(self, method: str, payload: Buffer = b"", *, timeout: float | None = None) -> bytes:
        """Call a method with bytes and return its reply. Blocks until the reply is there; signals are handled meanwhile.

        This is what everything else is built on, and for methods that take and return bytes. Those with types are called as attributes.

        :param method: the method's name.
        :param payload: the request: ``bytes`` or anything else with the buffer protocol, in C order. It is copied before the call.
        :param timeout: how many seconds the call may take; ``None``: what :func:`connect` was given.
        :raises RemoteError: the method raised an exception; or the exception itself, if both ends have registered it.
        :raises DeadlineExceeded: the timeout has passed.
        :raises UnknownMethod: the server has no such method.
        :raises PayloadTooLarge: the request or the reply exceeds the server's limit.
        :raises ServerGone: the server has died or closed.
        :raises ClientClosed: this client is closed, perhaps by another thread during the call.
        :raises ForkError: this process was forked from the one that connected.
        """
        return self._tools.call(method, payload, timeout=self._or_default(timeout))

    @overload
    def method(self, name: str) -> Method[Any]: ...
    @overload
    def method(self, name: str, returns: type[Result]) -> Method[Result]: ...
    @overload
    def method(self, name: str, returns: Any) -> Method[Any]: ...
    def method(self, name: str, returns: Any = Any) -> Method[Any]:
        """Return a method of the service, whether or not it exists, with the type that its result is to have.

        :param returns: any type that msgspec knows, such as a dataclass: results are checked, and made into it. Else they are what MessagePack has:
            numbers, text, bytes, lists, dicts, and arrays.
        """
        return Method(self._tools, name, self._timeout, 0, returns)

    def bind(self, interface: Callable[..., Interface]) -> Interface:
        """Return the service's methods as an object of the type of ``interface``, a class (a :class:`typing.Protocol`, say) that declares them: with
        the types of its annotations, so that tools know them, and results are made into what they say.
        """
        from nanorpc.interface import bound

        made: Interface = bound(interface, self.method)
        return made

    def batch(self, *, timeout: float | None = None) -> Batch:
        """Return a :class:`Batch`: calls that are made together when its ``with`` block ends.

        :param timeout: how many seconds that may take; ``None``: what :func:`connect` was given.
        """
        return Batch(self._tools, self._or_default(timeout))

    def loan(self, method: str, length: int, *, timeout: float | None = None) -> Loan:
        """Return ``length`` bytes of shared memory in which the request of a method is written, so that it is never copied. See :class:`Loan`.
        Blocks while there is no room.

        :raises PayloadTooLarge: the server does not accept that much.
        :raises DeadlineExceeded: there was no room in time.
        """
        timeout = self._or_default(timeout)
        return Loan(self._line.live(timeout), method, length, timeout)

    def call_lease(self, method: str, payload: Buffer = b"", *, timeout: float | None = None) -> Lease:
        """Do what :meth:`call` does, but return the reply where it lies, without copying it."""
        timeout = self._or_default(timeout)
        return Lease.of_call(self._line.live(timeout), method, payload, timeout)

    def future(self, method: str, payload: Buffer = b"", *, timeout: float | None = None) -> Future[bytes]:
        """Do what :meth:`call` does, but return at once. The future has the reply, or the exception. Cancelling it gives the call up."""
        return self._tools.future(method, payload, self._or_default(timeout), bytes)

    def describe(self, *, timeout: float | None = 5.0) -> ServiceInfo:
        """Ask the server for its methods and limits. Blocks until it has answered.

        :param timeout: how many seconds that may take; ``None``: for ever.
        :raises Incompatible: the answer is not understood. Else raises what :meth:`call` does.
        """
        return described(self.service, self._tools.call(DESCRIBE, timeout=timeout))

    def methods(self, *, timeout: float | None = 5.0) -> list[MethodInfo]:
        """Ask the server for its methods with their signatures; of one that says none, as servers in Go, there is the name. Blocks until it has
        answered.
        """
        return self.describe(timeout=timeout).details

    def stats(self, *, timeout: float | None = 5.0) -> Stats:
        """Ask the server what it has counted since it was made: calls, errors, times, memory. Blocks until it has answered.

        This connection, and its calls of this method, are counted with the rest. To ask again and again beside work that is to be quick,
        use a client that was connected with ``spin="none"``.

        :param timeout: how many seconds that may take; ``None``: for ever.
        :raises Incompatible: the answer is not understood. Else raises what :meth:`call` does.
        """
        return decode(self.service, self._tools.call(STATS, timeout=timeout), Stats)

    def close(self) -> None:
        """End the connection. Calls in other threads raise :class:`ClientClosed`. Closing again does nothing.

        Loans, leases and arrays stay as they are: their memory is there until they are gone.
        """
        self._line.close()
