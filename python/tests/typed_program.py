"""A user's program, for which mypy --strict is to have nothing to say: see test_user_types.py."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import nanorpc
import nanorpc.aio
from nanorpc.testing import ServiceFactory, ServiceProcess, run_service

errors = nanorpc.ErrorRegistry()
service = nanorpc.Service("typed", version="1", errors=errors, doc="Typed.")


@errors.register("typed.Empty")
class Empty(Exception):
    """Nothing there."""


@dataclass
class Point:
    x: float
    y: float


@service.method
def middle(points: list[Point]) -> Point:
    if not points:
        raise Empty("no points")
    return Point(sum(point.x for point in points) / len(points), sum(point.y for point in points) / len(points))


@service.method(name="length", idempotent=True)
async def measure(ctx: nanorpc.Context, point: Point) -> float:
    return 0.0 if ctx.cancelled else abs(complex(point.x, point.y))


@service.method
def scale(samples: NDArray[np.float32], factor: float = 2.0) -> NDArray[np.float32]:
    return samples * np.float32(factor)


@service.method(raw=True)
def reverse(request: bytes) -> bytes:
    return request[::-1]


@service.method(raw=True)
def double(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
    numbers = request.array(np.int32)
    np.multiply(numbers, 2, out=reply.array(numbers.shape, np.int32))


class Shapes(Protocol):
    """The service as a client sees it."""

    def middle(self, points: list[Point]) -> Point: ...
    def length(self, point: Point) -> float: ...


class AsyncShapes(Protocol):
    """The same for asyncio."""

    async def middle(self, points: list[Point]) -> Point: ...


# What is decorated keeps its type.
assert_type(middle([Point(1, 2)]), Point)


def use(client: nanorpc.Client) -> None:
    shapes = client.bind(Shapes)
    assert_type(shapes, Shapes)
    assert_type(shapes.length(shapes.middle([Point(0, 0), Point(6, 8)])), float)
    assert_type(client.method("middle", returns=Point)([Point(0, 0)]), Point)
    assert_type(client.method("middle", returns=Point).options(timeout=1.0, retries=2)([Point(0, 0)]), Point)
    assert_type(client.method("scale", returns=NDArray[np.float32])(np.ones(3, np.float32)), NDArray[np.float32])
    assert_type(client.method("middle", returns=Point | None)([Point(0, 0)]), Any)  # checked, but no type checker knows the type of a union
    future = client.method("length", returns=float).future(Point(3, 4))
    assert_type(future, Future[float])
    print(shapes.length(Point(3, 4)), future.result(), client.scale(np.ones(3, np.float32)).tolist())
    assert_type(client.call("reverse", bytearray(b"abc")), bytes)
    assert_type(client.future("reverse", memoryview(b"abc")).result(), bytes)
    with client.batch(timeout=1.0) as batch:
        entries = [batch.length(Point(3, 4)), batch.length(point=Point(6, 8))]
        entry = batch.call("reverse", b"abc")
    assert_type(entry.result(), bytes)
    print([entry.result() for entry in entries], entry.exception())
    with client.loan("double", 16) as loan:
        loan.array(np.int32)[:] = [1, 2, 3, 4]
        with loan.send(timeout=1.0) as lease:
            print(lease.array(np.int32, (2, 2)).tolist(), bytes(lease.view[:4]))
    info = client.describe()
    assert_type(info.details[0].parameters[0].required, bool)
    print(client.stats().uptime_ns > 0)
    try:
        shapes.middle([])
    except Empty as error:
        print(error)


async def use_asyncio(process: ServiceProcess) -> None:
    async with nanorpc.aio.connect(process.service, directory=process.directory, timeout=5.0) as client:
        assert_type(client, nanorpc.aio.Client)
        print(await client.bind(AsyncShapes).middle([Point(1, 1)]))
        method = client.method("length", returns=float)
        lengths = await asyncio.gather(*(method.options(timeout=1.0)(Point(0, y)) for y in range(3)))
        assert_type(lengths, list[float])
        assert_type(await client.call("reverse", b"abc"), bytes)
        with await client.loan("double", 4) as loan:
            loan.view[:] = bytes(4)
            with await loan.send() as lease:
                print(bytes(lease), lengths)


def test_of_a_user(nanorpc_service: ServiceFactory) -> None:
    assert_type(nanorpc_service(service, workers=1, traceback=True), nanorpc.Client)


if __name__ == "__main__":
    with run_service(service, spin="none") as client:
        use(client)
    with ServiceProcess(service) as process:
        asyncio.run(use_asyncio(process))
    with nanorpc.Server(service, workers=2) as server:
        print(server.service.name, list(service.methods))
