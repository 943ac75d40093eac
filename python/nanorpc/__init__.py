"""Call functions of other programs on the same Linux machine, through shared memory.

A server::

    import nanorpc

    service = nanorpc.Service("greeter")

    @service.method
    def hello(name: str) -> str:
        return f"hello, {name}"

    nanorpc.serve(service)

A client::

    with nanorpc.connect("greeter") as client:
        print(client.hello("world"))

Importing this package starts nothing: the core, which is written in Go, is loaded with the first connection or server. Go does not survive
:func:`os.fork`: fork before that, or use the "spawn" or "forkserver" start method of :mod:`multiprocessing`.
"""

from typing import TYPE_CHECKING, Any

from nanorpc.batch import Batch, Entry
from nanorpc.client import Client, connect
from nanorpc.context import Context, Peer
from nanorpc.errors import (
    BadRequest,
    ClientClosed,
    DeadlineExceeded,
    ForkError,
    Incompatible,
    InvalidName,
    InvalidOption,
    NanoRPCError,
    NotAllowed,
    PayloadTooLarge,
    Released,
    RemoteError,
    ServerGone,
    ServerNotFound,
    ServiceInUse,
    SharedMemoryExhausted,
    UnknownMethod,
)
from nanorpc.introspection import ConnectionStats, Counts, MethodInfo, MethodStats, ParameterInfo, ServiceInfo, Stats, TimeBucket
from nanorpc.loan import Lease, Loan
from nanorpc.method import Method
from nanorpc.raw import Reply, Request
from nanorpc.remote import ErrorRegistry
from nanorpc.server import Server, serve
from nanorpc.service import Service
from nanorpc.services import describe, services

if TYPE_CHECKING:
    from nanorpc import aio as aio

__all__ = [
    "BadRequest",
    "Batch",
    "Client",
    "ClientClosed",
    "ConnectionStats",
    "Context",
    "Counts",
    "DeadlineExceeded",
    "Entry",
    "ErrorRegistry",
    "ForkError",
    "Incompatible",
    "InvalidName",
    "InvalidOption",
    "Lease",
    "Loan",
    "Method",
    "MethodInfo",
    "MethodStats",
    "NanoRPCError",
    "NotAllowed",
    "ParameterInfo",
    "PayloadTooLarge",
    "Peer",
    "Released",
    "RemoteError",
    "Reply",
    "Request",
    "Server",
    "ServerGone",
    "ServerNotFound",
    "Service",
    "ServiceInUse",
    "ServiceInfo",
    "SharedMemoryExhausted",
    "Stats",
    "TimeBucket",
    "UnknownMethod",
    "aio",
    "connect",
    "describe",
    "serve",
    "services",
]


def __getattr__(name: str) -> Any:
    if name == "aio":  # loads asyncio, which many programs do not need
        from importlib import import_module

        return import_module("nanorpc.aio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
