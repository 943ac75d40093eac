"""The methods of a service, as a client on an event loop sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from nanorpc.errors import DeadlineExceeded, InvalidOption, SharedMemoryExhausted, UnknownMethod
from nanorpc.method import decoder_of

if TYPE_CHECKING:
    from nanorpc.aio._calls import Calls
    from nanorpc.aio.loan import Loan
    from nanorpc.codec import Codec
    from nanorpc.introspection import MethodInfo

Result = TypeVar("Result")


class Method(Generic[Result]):
    """A method of a service: ``client.add``. What is said of :class:`nanorpc.Method` holds for it; calling it is awaited. Cancelling the task that waits gives
    the call up, and cancels a coroutine function at the server.
    """

    __slots__ = ("_call", "_decode", "_encode", "_loan", "_made", "_methods", "_name", "_retries", "_timeout")

    def __init__(
        self,
        name: str,
        calls: Calls,
        codec: Codec,
        methods: Callable[[], Awaitable[list[MethodInfo]]],
        loan: Callable[[str, int], Awaitable[Loan]],
        timeout: float | None,
        retries: int,
        returns: Any,
    ) -> None:
        self._made = (calls, codec, returns)
        self._name = name
        self._methods = methods
        self._loan = loan
        self._timeout = timeout
        self._retries = retries
        self._call = calls.call
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
                return cast(Result, self._decode(await self._call(self._name, request, self._timeout, True)))
            except (DeadlineExceeded, SharedMemoryExhausted) as error:
                if not left or error.sent and not (await self.info()).idempotent:
                    raise
            left -= 1

    def options(self, *, timeout: float | None = None, retries: int | None = None) -> Method[Result]:
        """See :meth:`nanorpc.Method.options`."""
        if retries is not None and retries < 0:
            raise InvalidOption(f"retries={retries}: use 0 or more")
        calls, codec, returns = self._made
        return Method(
            self._name,
            calls,
            codec,
            self._methods,
            self._loan,
            self._timeout if timeout is None else timeout,
            self._retries if retries is None else retries,
            returns,
        )

    async def loan(self, length: int) -> Loan:
        """See :meth:`Client.loan`."""
        return await self._loan(self._name, length)

    async def info(self) -> MethodInfo:
        """Return what the server says of the method.

        :raises UnknownMethod: there is none of this name.
        """
        for info in await self._methods():
            if info.name == self._name:
                return info
        raise UnknownMethod(f"the service has no method {self._name!r}")

    async def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from nanorpc.schema import bind

        parameters = (await self.info()).parameters
        return bind([parameter.name for parameter in parameters if not parameter.keyword_only], args, kwargs, self._name)
