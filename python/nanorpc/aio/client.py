"""The client on an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nanorpc._channel import Channel, dial
from nanorpc._client import BaseClient
from nanorpc._line import CONNECT_TIMEOUT, Attempt, Line, checked_patience
from nanorpc._place import Directory
from nanorpc._tools import described
from nanorpc.aio._calls import Calls
from nanorpc.aio._renewing import Caller, Renewing
from nanorpc.aio.loan import Loan
from nanorpc.aio.method import Method
from nanorpc.introspection import DESCRIBE, STATS, MethodInfo, ServiceInfo, Stats, decode

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc.codec import Codec
    from nanorpc.remote import ErrorRegistry

Result = TypeVar("Result")
Interface = TypeVar("Interface")


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
) -> Connecting:
    """Return a connection that is to be made to the server of a service, with ``async with`` or ``await``.

    See :func:`nanorpc.connect` for the parameters and errors. Connecting goes on in another thread.
    """
    given_up = threading.Event()

    def attempt(seconds: float) -> Channel:
        return dial(service, directory, seconds, spin, errors, seals, given_up)

    return Connecting(attempt, given_up, timeout, pickle, checked_patience(reconnect))


class Connecting:
    """A connection that is to be made, by ``await`` or ``async with``; once."""

    def __init__(self, attempt: Attempt, given_up: threading.Event, timeout: float | None, pickle: bool, patience: float | None) -> None:
        self._attempt = attempt
        self._given_up = given_up
        self._timeout = timeout
        self._pickle = pickle
        self._patience = patience
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._connect()
        return self._client

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close()

    async def _connect(self) -> Client:
        loop = asyncio.get_running_loop()
        dialling = loop.run_in_executor(None, self._attempt, CONNECT_TIMEOUT if self._timeout is None else self._timeout)
        try:
            channel = await asyncio.shield(dialling)
        except asyncio.CancelledError:
            self._given_up.set()  # asyncio.run waits for the thread
            dialling.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().close())
            raise
        line = Line(channel, self._attempt, self._patience, self._given_up)
        return Client(line, loop, self._timeout, self._pickle)


class Client(BaseClient[Method[Any]]):
    """A connection to a server, made by :func:`connect`. It belongs to the event loop on which it was made: only there may it be used.

    The service's methods are attributes: ``await client.add(2, 3)``. See :class:`Method`. One whose name is an attribute of the client itself, or no
    identifier, is ``client.method("close")``.

    Up to 256 calls are in flight; thousands more wait their turn.
    """

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop, timeout: float | None, pickle: bool) -> None:
        super().__init__(line, timeout)
        self._pickle = pickle
        self._codec_made: Codec | None = None
        try:
            calls = Calls(line.channel, loop)
        except BaseException:
            line.close()
            raise
        self._calls: Caller = calls if line.patience is None else Renewing(line, calls, loop)

    def _end(self) -> None:
        self._calls.close_unused()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _method(self, name: str) -> Method[Any]:
        return self.method(name)

    async def call(self, method: str, payload: Buffer = b"", *, timeout: float | None = None) -> bytes:
        """Call a method with bytes and return its reply. See :meth:`nanorpc.Client.call` for the parameters and errors.

        Cancelling the task gives the call up. The method may still run; a coroutine function at the server is cancelled.
        """
        return await self._calls.call(method, payload, self._or_default(timeout))

    @overload
    def method(self, name: str) -> Method[Any]: ...
    @overload
    def method(self, name: str, returns: type[Result]) -> Method[Result]: ...
    @overload
    def method(self, name: str, returns: Any) -> Method[Any]: ...
    def method(self, name: str, returns: Any = Any) -> Method[Any]:
        """Return a method of the service, whether or not it exists, with the type that its result is to have. See :meth:`nanorpc.Client.method`."""
        return Method(self._calls, self._codec, name, self._timeout, 0, returns)

    def bind(self, interface: Callable[..., Interface]) -> Interface:
        """See :meth:`nanorpc.Client.bind`; the interface's methods are coroutine functions."""
        from nanorpc.interface import bound

        made: Interface = bound(interface, self.method)
        return made

    async def loan(self, method: str, length: int, *, timeout: float | None = None) -> Loan:
        """Return ``length`` bytes of shared memory in which the request of a method is written. See :meth:`nanorpc.Client.loan`. Waits while there
        is no room.
        """
        return await self._calls.loan(method, length, self._or_default(timeout))

    async def describe(self, *, timeout: float | None = 5.0) -> ServiceInfo:
        """See :meth:`nanorpc.Client.describe`."""
        return described(self.service, await self.call(DESCRIBE, timeout=timeout))

    async def methods(self, *, timeout: float | None = 5.0) -> list[MethodInfo]:
        """See :meth:`nanorpc.Client.methods`."""
        return (await self.describe(timeout=timeout)).details

    async def stats(self, *, timeout: float | None = 5.0) -> Stats:
        """See :meth:`nanorpc.Client.stats`."""
        return decode(self.service, await self.call(STATS, timeout=timeout), Stats)

    def close(self) -> None:
        """End the connection. Calls of other tasks raise :class:`ClientClosed`. Closing again does nothing. Does not block."""
        if not self._channel.closed:
            self._calls.close()

    async def wait_closed(self) -> None:
        """Wait until the connection has ended, without any call: the server has died or closed, or this client is closed. Of a client that
        reconnects, it is the connection that there is now.
        """
        await self._calls.wait_closed()

    @property
    def _codec(self) -> Codec:
        if self._codec_made is None:
            from nanorpc.codec import Codec

            self._codec_made = Codec(pickle=self._pickle)
        return self._codec_made
