"""What servers say of themselves, in answer to the reserved methods: docs/protocol.md, section 7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from nanorpc.errors import Incompatible

DESCRIBE = "nanorpc.describe"
"""The reserved method that answers with a :class:`ServiceInfo`."""

STATS = "nanorpc.stats"
"""The reserved method that answers with a :class:`Stats`."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class ParameterInfo:
    """An argument that a method takes."""

    name: str
    type: str
    """As the service's language writes it."""
    required: bool
    keyword_only: bool = False
    default: str = ""
    """As JSON; empty if there is none, or none that JSON has."""
    schema: str = ""
    """JSON Schema of the type; may be empty."""

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" + ("" if self.required else f" = {self.default or '...'}")


@dataclass(frozen=True, kw_only=True)
class MethodInfo:
    """What a server says of a method."""

    name: str
    kind: str = ""
    """``"typed"``: it takes arguments; ``"bytes"`` and ``"raw"``: bytes, see :meth:`Client.call`; empty: the server does not say."""
    parameters: list[ParameterInfo] = field(default_factory=list)
    """Of a typed one."""
    returns: str = ""
    """The type of its result, as the service's language writes it."""
    doc: str = ""
    idempotent: bool = False
    """Calling it twice does no more than calling it once."""
    coroutine: bool = False
    """It is a coroutine function."""

    def __str__(self) -> str:
        if self.kind != "typed":
            return f"{self.name}(bytes) -> bytes" if self.kind else self.name
        parameters = [str(parameter) for parameter in self.parameters]
        first_named = next((i for i, parameter in enumerate(self.parameters) if parameter.keyword_only), None)
        if first_named is not None:
            parameters.insert(first_named, "*")
        return f"{self.name}({', '.join(parameters)}) -> {self.returns}"


@dataclass(frozen=True)
class ServiceInfo:
    """What a server is, and what it accepts."""

    service: str
    pid: int
    protocol: int
    """The protocol's version."""
    methods: list[str]
    """Sorted, without the reserved ones."""
    max_payload: int
    """The longest request and reply, in bytes."""
    arena: int
    """Bytes of shared memory that each connection may take for requests, and as many for replies."""
    version: str = ""
    """The service's; may be empty."""
    doc: str = ""
    """What it is for; may be empty."""
    details: list[MethodInfo] = field(default_factory=list)
    """The methods with what the server says of them, in the order of its code; of those of which it says nothing, the names, after the others."""

    def __post_init__(self) -> None:
        said = {method.name for method in self.details}
        self.details.extend(MethodInfo(name=name) for name in self.methods if name not in said)


class TimeBucket(NamedTuple):
    """Calls that took about as long as each other: less than ``below_ns``, and no less than the next smaller bound that there can be."""

    below_ns: int
    calls: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a server counts of a method or a connection. It may lag by up to 63 calls of each connection that is not idle."""

    calls: int
    """Calls that have been answered."""
    errors: int
    """Of those, the ones answered with anything but a reply."""
    in_flight: int
    """Calls that have been taken and not been answered."""
    request_bytes: int
    """Of ``calls``."""
    reply_bytes: int
    """Of ``calls``, with the texts of errors."""
    times: list[TimeBucket]
    """How long calls took on the server, ascending. Quick calls are sampled, so the sum is close to ``calls`` and need not equal it."""

    def percentile(self, percent: float) -> int | None:
        """Return a time in ns, too long by up to a quarter, in which ``percent`` of the calls, 0 to 100, were answered; None without calls."""
        return percentile(self.times, percent)


@dataclass(frozen=True, kw_only=True)
class MethodStats(Counts):
    """Of a method, over all connections, including those that have ended."""

    name: str


@dataclass(frozen=True, kw_only=True)
class ConnectionStats(Counts):
    """Of a connection, over all methods."""

    id: int
    """Which no other connection of this server has."""
    pid: int
    """The client's process id; 0 if that is in a PID namespace into which the server does not see."""
    age_ns: int
    """Since the client connected."""
    refused: int
    """Calls that were answered without a method; not among ``calls``."""
    spins_paid: int
    """The server's waits for a call that a spin has ended."""
    sleeps: int
    """The server's waits for a call for which it has gone to sleep."""
    memory: int
    """Bytes of shared memory that the connection takes."""
    reply_used: int
    """Bytes of the reply arena that hold replies or are lent for them."""
    reply_arena: int
    """Bytes to which the reply arena has grown."""


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a server has counted since it was made. The parts are read one after another while calls go on: they need not agree."""

    service: str
    pid: int
    uptime_ns: int
    """Since the server was made."""
    methods: list[MethodStats]
    """Sorted by name; reserved ones only once they have been called."""
    connected: int
    """The number of connections."""
    connections: list[ConnectionStats]
    """The 100 with the most calls, most first."""
    uid: int | None = None
    """The user as whom the server runs; None of a server that does not say."""


def percentile(times: Sequence[TimeBucket], percent: float) -> int | None:
    """Return the bound in ns under which ``percent`` of the calls in an ascending histogram, 0 to 100, are; None if it has none."""
    total = sum(bucket.calls for bucket in times)
    seen = 0
    for bucket in times:
        seen += bucket.calls
        if seen >= percent / 100 * total:
            return bucket.below_ns
    return None


def decode(service: str, reply: bytes, kind: type[Answer]) -> Answer:
    """Return the answer of a reserved method. Keys that ``kind`` does not have are ignored.

    :raises Incompatible: the reply is no such answer.
    """
    import msgspec  # here, not with the package: few programs need it

    try:
        return msgspec.msgpack.decode(reply, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Incompatible(f"service {service} describes itself in an unknown way: {error}") from error
