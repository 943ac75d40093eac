"""The exceptions of this package. All derive from :class:`NanoRPCError`; those with a counterpart in Python derive from that as well."""

from __future__ import annotations

from enum import IntEnum


class NanoRPCError(Exception):
    """Anything that went wrong with a connection, a call or a server."""

    sent: bool = True
    """Whether the method may have run: False if the call failed before its request was sent."""


class ServerNotFound(NanoRPCError, ConnectionError):
    """Nobody serves this name."""


class ServerGone(NanoRPCError, ConnectionError):
    """The server has died or closed. A call that was in flight may or may not have run."""


class ClientClosed(NanoRPCError, ConnectionError):
    """The client, or the server, has been closed by this process."""


class DeadlineExceeded(NanoRPCError, TimeoutError):
    """The timeout has passed. The call may still run, or have run."""


class UnknownMethod(NanoRPCError, LookupError):
    """The server has no method of this name."""


class PayloadTooLarge(NanoRPCError, ValueError):
    """The request or the reply exceeds the server's limit."""


class RemoteError(NanoRPCError):
    """The method failed at the server. ``str()`` is the type and the message: ``KeyError: 'no such thing'``.

    :param message: the text of the server's error.
    :param type: the name of its class; empty if the server does not say.
    :param traceback: its traceback, if the server sends those. From Python 3.11 on it is shown below this error's own.
    """

    def __init__(self, message: str = "", type: str = "", traceback: str | None = None) -> None:
        super().__init__(f"{type}: {message}" if type and message else type or message)
        self.message = message
        self.type = type
        self.traceback = traceback


class BadRequest(NanoRPCError, TypeError):
    """The arguments are not those of the method: the text names the first that is wrong, missing or unknown."""


class SharedMemoryExhausted(NanoRPCError, MemoryError):
    """There is no room in /dev/shm for a connection, or in the connection for a reply."""


class Incompatible(NanoRPCError):
    """The peer speaks another version of the protocol, or breaks it."""


class NotAllowed(NanoRPCError, PermissionError):
    """The server is another user's, or others can write to the service directory."""


class ServiceInUse(NanoRPCError):
    """Another process serves this name."""


class InvalidName(NanoRPCError, ValueError):
    """Not the name of a service or method, or a method registered twice."""


class InvalidOption(NanoRPCError, ValueError):
    """A size or a spin policy that cannot be."""


class Released(NanoRPCError, ValueError):
    """The memory of a loan or a lease has been released, or sent."""


class ForkError(NanoRPCError):
    """The core was loaded before this process was forked, and cannot be used in it."""


class Status(IntEnum):
    """What the core returns as a negative number. The list is that of go/pycore/status.go."""

    PENDING = 1
    NOT_FOUND = 2
    GONE = 3
    CLOSED = 4
    DEADLINE = 5
    UNKNOWN_METHOD = 6
    TOO_LARGE = 7
    REMOTE = 8
    EXHAUSTED = 9
    INCOMPATIBLE = 10
    NOT_ALLOWED = 11
    IN_USE = 12
    INVALID_NAME = 13
    INVALID_OPTION = 14
    INVALID_HANDLE = 15
    FAILED = 16
    CONNECTION = 17
    CANCELLED = 18
    EXCEPTION = 19
    UNSENT = 20


STATUS_BITS = 8
"""The low bits of a failure are its status."""

_EXCEPTIONS: dict[Status, tuple[type[NanoRPCError], str]] = {
    Status.NOT_FOUND: (ServerNotFound, "no server for this service"),
    Status.GONE: (ServerGone, "the server has gone"),
    Status.UNSENT: (ServerGone, "the server has gone"),
    Status.CLOSED: (ClientClosed, "closed"),
    Status.DEADLINE: (DeadlineExceeded, "no reply in time"),
    Status.UNKNOWN_METHOD: (UnknownMethod, "the server has no such method"),
    Status.TOO_LARGE: (PayloadTooLarge, "the payload exceeds the server's limit"),
    Status.REMOTE: (RemoteError, "the method failed"),
    Status.EXHAUSTED: (SharedMemoryExhausted, "not enough shared memory"),
    Status.INCOMPATIBLE: (Incompatible, "the peer broke the protocol"),
    Status.NOT_ALLOWED: (NotAllowed, "not allowed"),
    Status.IN_USE: (ServiceInUse, "service name in use"),
    Status.INVALID_NAME: (InvalidName, "invalid name"),
    Status.INVALID_OPTION: (InvalidOption, "invalid option"),
}


def status_of(failure: int) -> Status:
    """Return the status in a negative number from the core."""
    return Status(-failure & ((1 << STATUS_BITS) - 1))


def exception(status: Status, text: str = "") -> NanoRPCError:
    """Return the exception for a status, with the text or a general one."""
    kind, general = _EXCEPTIONS.get(status, (NanoRPCError, f"the core failed with status {status.name}"))
    error = kind(text or general)
    error.sent = status is not Status.UNSENT
    return error
