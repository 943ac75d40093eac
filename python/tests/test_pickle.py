"""Objects that MessagePack does not know: only if both ends ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc import aio


class Strange:
    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strange) and other.value == self.value


service = nanorpc.Service("pickles")


@service.method
def same(value: Any) -> Any:
    return value


@service.method
def make(value: int) -> Any:
    return Strange(value)


def test_both(serve: Callable[..., nanorpc.Client]) -> None:
    client = serve(service, pickle=True, client={"pickle": True})
    assert client.same(Strange(3)) == Strange(3)
    assert client.same([1, {"x": Strange(4)}]) == [1, {"x": Strange(4)}]
    assert client.make(5) == Strange(5)
    assert client.same.future(Strange(3)).result(60) == Strange(3)
    with client.batch() as batch:
        entry = batch.same(Strange(3))
    assert entry.result() == Strange(3)

    async def main() -> None:
        async with aio.connect("pickles", pickle=True) as other:
            assert await other.same(Strange(3)) == Strange(3)

    asyncio.run(main())


def test_only_the_client(serve: Callable[..., nanorpc.Client]) -> None:
    client = serve(service, client={"pickle": True})
    with pytest.raises(nanorpc.BadRequest, match="same: a pickled object, which is not accepted"):
        client.same(Strange(3))
    with pytest.raises(nanorpc.RemoteError, match="Strange cannot be sent"):
        client.make(3)
    assert client.same(3) == 3


def test_only_the_server(serve: Callable[..., nanorpc.Client]) -> None:
    client = serve(service, pickle=True)
    with pytest.raises(TypeError, match="Strange cannot be sent"):
        client.same(Strange(3))
    with pytest.raises(nanorpc.Incompatible, match="a pickled object, which is not accepted"):
        client.make(3)
    with pytest.raises(nanorpc.Incompatible, match="a pickled object, which is not accepted"):
        client.make.future(3).result(60)
    assert client.same(3) == 3


def test_neither(serve: Callable[..., nanorpc.Client]) -> None:
    client = serve(service)
    with pytest.raises(TypeError, match="Strange cannot be sent"):
        client.same(Strange(3))
    with pytest.raises(nanorpc.RemoteError, match="Strange cannot be sent"):
        client.make(3)
    assert client.same(3) == 3
