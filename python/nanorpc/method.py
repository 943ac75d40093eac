"""The methods of a service, as a client sees them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from nanorpc.errors import DeadlineExceeded, Incompatible, InvalidOption, ServerGone, SharedMemoryExhausted
from nanorpc.loan import Loan

if TYPE_CHECKING:
    from nanorpc._tools import Tools
    from nanorpc.codec import Codec
    from nanorpc.introspection import MethodInfo

Result = TypeVar("Result")


def decoder_of(codec: Codec, method: str, returns: Any) -> Callable[[bytes], Any]:
    """Return a function that makes a reply into a result of a type, and raises :class:`Incompatible` if it is none."""
    from nanorpc.codec import Malformed

    decoder = codec.decoder(returns)
    decode_plain, decode_refused = decoder.decode_plain, decoder.decode_refused

    def result(reply: bytes) -> Any:
        try:
            return decode_plain(reply)
        except Exception:  # whatever it is: the long way decides
            pass
        try:
            return decode_refused(reply)
        except Malformed as error:
            if not len(reply) and returns is Any:
                return None  # of a method without a result in a language that has such
            raise Incompatible(f"{method} returned something else than {getattr(returns, '__name__', returns)}: {error}") from error

    return result


class Options(Protocol):
    """A method with options."""

    _timeout: float | None
    _retries: int


def options(method: Options, timeout: float | None, retries: int | None) -> tuple[float | None, int]:
    """Return a method's timeout and retries, with what is given in their places.

    :raises InvalidOption: retries that cannot be.
    """
    if retries is not None and retries < 0:
        raise InvalidOption(f"retries={retries}: use 0 or more")
    return method._timeout if timeout is None else timeout, method._retries if retries is None else retries


class Method(Generic[Result]):
    """A method of a service: ``client.add``. Calling it calls the service's, with arguments of any types that MessagePack and msgspec know, and
    NumPy arrays.

    Arrays in a result are read-only. Where they are long, 64 KiB and more with the rest of the result, they lie in memory shared with the server,
    and take one of the client's 256 slots until they are gone; when 128, or half of the room for replies, are taken so, further ones are copied.

    May be called from several threads at once. It raises what :meth:`Client.call` does, and:

    :raises BadRequest: the arguments are not what the method takes; the message names the one.
    :raises Incompatible: the result is not what it should be.
    :raises TypeError: an argument is something that cannot be sent.
    """

    __slots__ = ("_call", "_decode", "_encode", "_name", "_retries", "_returns", "_timeout", "_tools")

    def __init__(self, tools: Tools, name: str, timeout: float | None, retries: int, returns: Any) -> None:
        self._tools = tools
        self._name = name
        self._timeout = timeout
        self._retries = retries
        self._returns = returns
        self._call = tools.call
        self._encode = tools.codec.encode
        self._decode = decoder_of(tools.codec, name, returns)

    def __repr__(self) -> str:
        return f"<nanorpc.Method {self._name!r} of {self._tools.line.channel.service!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Call the method. Blocks until its result is there; signals are handled meanwhile."""
        if self._retries:
            return self._persist(args, kwargs)
        request = self._encode(self._tools.bind(self._name, args, kwargs) if kwargs else args)
        result: Result = self._decode(self._call(self._name, request, timeout=self._timeout, keep=True))
        return result

    def options(self, *, timeout: float | None = None, retries: int | None = None) -> Method[Result]:
        """Return this method with other options; what is not given stays.

        :param timeout: how many seconds each try of a call may take.
        :param retries: how often to try again when there was no reply in time, no room for one, or the server has gone and the client reconnects.
            A method that its service does not declare idempotent is tried again only if it cannot have run.
        """
        return Method(self._tools, self._name, *options(self, timeout, retries), self._returns)

    def future(self, *args: Any, **kwargs: Any) -> Future[Result]:
        """Call the method and return at once. The future has the result, or the exception; cancelling it gives the call up. Options but the timeout
        do not count.
        """
        request = self._encode(self._tools.bind(self._name, args, kwargs))
        return self._tools.future(self._name, request, self._timeout, self._decode)

    def loan(self, length: int) -> Loan:
        """See :meth:`Client.loan`."""
        return Loan(self._tools.line.live(self._timeout), self._name, length, self._timeout)

    @property
    def info(self) -> MethodInfo:
        """What the server says of the method. Blocks, the first time, until it has answered.

        :raises UnknownMethod: there is none of this name.
        """
        return self._tools.info(self._name)

    def _persist(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
        request = self._encode(self._tools.bind(self._name, args, kwargs))
        left = self._retries
        while True:
            try:
                return cast(Result, self._decode(self._call(self._name, request, timeout=self._timeout, keep=True)))
            except (DeadlineExceeded, SharedMemoryExhausted, ServerGone) as error:
                if not left or (error.sent and not self.info.idempotent):
                    raise
            left -= 1
