"""gRPC with blocking calls and protobuf messages, over a Unix socket. The messages' types, which protoc would write to a file, are made here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped, unused-ignore]

from nanorpc.peers.grpcio import SERVICE, connected, served
from nanorpc.peers.interface import Add

_METHOD = "add"


def _messages() -> tuple[Any, Any]:
    """Return the types ``Numbers``, with two fields, and ``Sum``, with one."""
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    for name, fields in (("Numbers", "ab"), ("Sum", "c")):
        message = file.message_type.add(name=name)
        for number, letter in enumerate(fields, 1):
            message.field.add(name=letter, number=number, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    numbers, total = (message_factory.GetMessageClass(pool.FindMessageTypeByName(f"bench.{name}")) for name in ("Numbers", "Sum"))
    return numbers, total


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Serve, as for bytes."""
    numbers, total = _messages()

    def add(request: Any, context: object) -> Any:
        return total(c=request.a + request.b)

    with served(directory, _METHOD, grpc.unary_unary_rpc_method_handler(add, numbers.FromString, total.SerializeToString)):
        yield


@contextmanager
def typed(directory: Path) -> Iterator[Add]:
    """Connect a client."""
    numbers, total = _messages()
    with connected(directory) as channel:
        add = channel.unary_unary(f"/{SERVICE}/{_METHOD}", numbers.SerializeToString, total.FromString)

        def call(a: int, b: int) -> int:
            result: int = add(numbers(a=a, b=b)).c
            return result

        yield call
