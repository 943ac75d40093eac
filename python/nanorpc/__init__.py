"""Call functions of other programs on the same Linux machine, through shared memory.

A server::

    import nanorpc

    server = nanorpc.Server("greeter")

    @server.method
    def hello(name: bytes) -> bytes:
        return b"hello, " + name

    server.run()

A client::

    with nanorpc.connect("greeter") as client:
        print(client.call("hello", b"world", timeout=1.0))

Importing this package starts nothing: the core, which is written in Go, is loaded with the first connection or server. Go does not survive
:func:`os.fork`: fork before that, or use the "spawn" or "forkserver" start method of :mod:`multiprocessing`.
"""

from nanorpc.client import Client, connect
from nanorpc.errors import (
    ClientClosed,
    DeadlineExceeded,
    ForkError,
    Incompatible,
    InvalidName,
    InvalidOption,
    NanoRPCError,
    NotAllowed,
    PayloadTooLarge,
    RemoteError,
    ServerGone,
    ServerNotFound,
    ServiceInUse,
    SharedMemoryExhausted,
    UnknownMethod,
)
from nanorpc.introspection import ConnectionStats, Counts, MethodStats, ServiceInfo, Stats, TimeBucket
from nanorpc.server import Server
from nanorpc.services import describe, services

__all__ = [
    "Client",
    "ClientClosed",
    "ConnectionStats",
    "Counts",
    "DeadlineExceeded",
    "ForkError",
    "Incompatible",
    "InvalidName",
    "InvalidOption",
    "MethodStats",
    "NanoRPCError",
    "NotAllowed",
    "PayloadTooLarge",
    "RemoteError",
    "Server",
    "ServerGone",
    "ServerNotFound",
    "ServiceInUse",
    "ServiceInfo",
    "SharedMemoryExhausted",
    "Stats",
    "TimeBucket",
    "UnknownMethod",
    "connect",
    "describe",
    "services",
]
