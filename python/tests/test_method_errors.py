"""Exceptions of methods at their callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import nanorpc
from nanorpc import aio
from nanorpc.raw import Reply, Request

errors = nanorpc.ErrorRegistry()


@errors.register("test.Missing")
class Missing(Exception):
    def __init__(self, account: str, amount: int) -> None:
        super().__init__(account, amount)
        self.account, self.amount = account, amount


service = nanorpc.Service("errors", errors=errors)


def raised(kind: str) -> Any:
    if kind == "missing":
        raise Missing("me", 30)
    if kind == "long":
        raise ValueError("x" * 10_000)
    if kind == "bad request":
        raise nanorpc.BadRequest("argument 'kind': not that one")
    raise KeyError("no such thing")


@service.method
def typed(kind: str) -> None:
    raised(kind)


@service.method
def large(kind: str, padding: bytes) -> None:
    raised(kind)


@service.method
async def coroutine(kind: str) -> None:
    await asyncio.sleep(0)
    raised(kind)


@service.method(raw=True)
def of_bytes(request: bytes) -> bytes:
    raised(request.decode())
    return b""


@service.method(raw=True)
async def of_bytes_coroutine(request: bytes) -> bytes:
    raised(request.decode())
    return b""


@service.method(raw=True)
def in_place(request: Request, reply: Reply) -> None:
    raised(bytes(request).decode())


@service.method(raw=True)
def in_place_after(request: Request, reply: Reply) -> None:
    reply.array(100_000, "u1")[:] = 1
    raised(bytes(request).decode())


@service.method(raw=True)
def in_place_after_little(request: Request, reply: Reply) -> None:
    reply.array(300, "u1")[:] = 1
    raised(bytes(request).decode())


RAW = ["of_bytes", "of_bytes_coroutine", "in_place", "in_place_after", "in_place_after_little"]
KINDS = ["typed", "large", "coroutine", *RAW]


def sync(client: nanorpc.Client, kind: str, what: str) -> object:
    if kind in RAW:
        return client.call(kind, what.encode())
    return client.method(kind)(what, bytes(10_000)) if kind == "large" else client.method(kind)(what)


def future(client: nanorpc.Client, kind: str, what: str) -> object:
    if kind in RAW:
        return client.future(kind, what.encode()).result(60)
    return client.method(kind).future(what, **{"padding": bytes(10_000)} if kind == "large" else {}).result(60)


def batch(client: nanorpc.Client, kind: str, what: str) -> object:
    with client.batch() as batch:
        if kind in RAW:
            entry: Any = batch.call(kind, what.encode())
        else:
            entry = getattr(batch, kind)(what, *[bytes(10_000)] * (kind == "large"))
    assert entry.exception() is not None
    return entry.result()


def loan(client: nanorpc.Client, kind: str, what: str) -> object:
    request = what.encode() if kind in RAW else b"\x91" + bytes([0xA0 + len(what)]) + what.encode()
    if kind == "large":
        return sync(client, kind, what)
    with client.loan(kind, len(request)) as loan:
        loan.view[:] = request
        return loan.send()


def event_loop(client: nanorpc.Client, kind: str, what: str) -> object:
    async def main() -> object:
        async with aio.connect("errors", errors=client._channel.registry) as other:
            if kind in RAW:
                return await other.call(kind, what.encode())
            return await other.method(kind)(what, *[bytes(10_000)] * (kind == "large"))

    return asyncio.run(main())


WAYS = [sync, future, batch, loan, event_loop]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("errors")
    directory.chmod(0o700)
    with nanorpc.Server(service, directory=str(directory), workers=2):
        yield str(directory)


@pytest.fixture
def directory(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANORPC_DIR", server)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_errors(directory: None, way: Callable[..., object], kind: str) -> None:
    with nanorpc.connect("errors", errors=errors, timeout=60) as client:
        for _ in range(3):
            with pytest.raises(nanorpc.RemoteError, match=r"^KeyError: 'no such thing'$") as remote:
                way(client, kind, "key")
            assert (remote.value.type, remote.value.message, remote.value.traceback) == ("KeyError", "'no such thing'", None)
            with pytest.raises(Missing) as missing:
                way(client, kind, "missing")
            assert (missing.value.account, missing.value.amount) == ("me", 30)
            with pytest.raises(nanorpc.BadRequest, match="not that one"):
                way(client, kind, "bad request")
            with pytest.raises(nanorpc.RemoteError, match=r"^ValueError: x{200}|^ValueError: x+…"):
                way(client, kind, "long")


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_has_not_registered_them(directory: None, way: Callable[..., object]) -> None:
    with nanorpc.connect("errors") as client, pytest.raises(nanorpc.RemoteError, match=r"^Missing: \('me', 30\)$"):
        way(client, "typed", "missing")


@pytest.mark.parametrize("kind", KINDS)
def test_tracebacks_if_the_server_sends_them(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("NANORPC_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    with nanorpc.Server(service, traceback=True), nanorpc.connect("errors", errors=errors) as client:
        for way in (sync, batch, future):
            with pytest.raises(nanorpc.RemoteError, match=r"^KeyError: 'no such thing'") as remote:
                way(client, kind, "key")
            if kind != "in_place_after_little":  # there is no room for it
                assert remote.value.traceback is not None
                assert "in raised" in remote.value.traceback
            with pytest.raises(Missing):
                way(client, kind, "missing")
