"""The methods of a service, as a client on an event loop sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from nanorpc._tools import info_of, positional
from nanorpc.errors import DeadlineExceeded, ServerGone, SharedMemoryExhausted
from nanorpc.method import decoder_of, options

if TYPE_CHECKING:
    from nanorpc.aio._renewing import Caller
    from nanorpc.aio.loan import Loan
    from nanorpc.codec import Codec
    from nanorpc.introspection import MethodInfo

Result = TypeVar("Result")


class Method(Generic[Result]):
    """A method of a service: ``client.add``. What is said of :class:`nanorpc.Method` holds for it; calling it is awaited. Cancelling the task that
    waits gives the call up, and cancels a coroutine function at the server.
    """

    __slots__ = ("_calls", "_codec", "_decode", "_encode", "_name", "_retries", "_returns", "_timeout")

    def __init__(self, calls: Caller, codec: Codec, name: str, timeout: float | None, retries: int, returns: Any) -> None:
        self._calls = calls
        self._codec = codec
        self._name = name
        self._timeout = timeout
        self._retries = retries
        self._returns = returns
        self._encode = codec.encode
        self._decode = decoder_of(codec, name, returns)

    def __repr__(self) -> str:
        return f"<nanorpc.aio.Method {self._name!r}>"

    async def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Call the method."""
        request = self._encode(args if not kwargs else kwargs if not args else await self._bound(args, kwargs))
        left = self._retries
        while True:
            try:
                return cast(Result, self._decode(await self._calls.call(self._name, request, self._timeout, True)))
            except (DeadlineExceeded, SharedMemoryExhausted, ServerGone) as error:
                if not left or (error.sent and not (await self.info()).idempotent):
                    raise
            left -= 1

    def options(self, *, timeout: float | None = None, retries: int | None = None) -> Method[Result]:
        """See :meth:`nanorpc.Method.options`."""
        return Method(self._calls, self._codec, self._name, *options(self, timeout, retries), self._returns)

    async def loan(self, length: int) -> Loan:
        """See :meth:`Client.loan`."""
        return await self._calls.loan(self._name, length, self._timeout)

    async def info(self) -> MethodInfo:
        """Return what the server says of the method.

        :raises UnknownMethod: there is none of this name.
        """
        return info_of(await self._calls.methods(), self._name)

    async def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from nanorpc.schema import bind

        return bind(positional(await self.info()), args, kwargs, self._name)
