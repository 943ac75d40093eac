from __future__ import annotations

import os
import subprocess
from dataclasses import asdict

import msgspec
import pytest

import nanorpc
from nanorpc.introspection import Counts, ServiceInfo, Stats, TimeBucket, decode


def counts(*times: TimeBucket) -> Counts:
    return Counts(calls=0, errors=0, in_flight=0, request_bytes=0, reply_bytes=0, times=list(times))


def test_describe(demo: subprocess.Popen[str]) -> None:
    with nanorpc.connect("demo") as client:
        info = client.describe()
        assert (info.service, info.pid, info.protocol) == ("demo", demo.pid, 1)
        assert {"echo", "sleep"} <= set(info.methods)
        assert client.max_payload == info.max_payload <= info.arena
    assert nanorpc.describe("demo") == info


@pytest.mark.parametrize("service", ["demo", "python"])
def test_stats(demo: subprocess.Popen[str], python_server: subprocess.Popen[str], service: str) -> None:
    method = {"demo": "echo", "python": "reverse"}[service]
    with nanorpc.connect(service) as client:
        for _ in range(100):
            client.call(method, b"12345")
        client.stats()  # a call of another method: those before are counted
        stats = client.stats()
    assert (stats.service, stats.connected) == (service, 1)
    called = next(m for m in stats.methods if m.name == method)
    assert (called.calls, called.errors, called.request_bytes, called.reply_bytes) == (100, 0, 500, 500)
    p50, p99 = called.percentile(50), called.percentile(99)
    assert p50 is not None
    assert p99 is not None
    assert 0 < p50 <= p99
    (connection,) = stats.connections
    assert connection.pid == os.getpid()
    assert connection.calls >= 100
    assert 0 < connection.age_ns <= stats.uptime_ns
    assert connection.memory > 0


def test_percentile() -> None:
    assert counts().percentile(50) is None
    some = counts(TimeBucket(8, 90), TimeBucket(16, 9), TimeBucket(32, 1))
    assert [some.percentile(p) for p in (0, 50, 90, 91, 99, 100)] == [8, 8, 8, 16, 16, 32]


def test_unknown_keys_are_ignored() -> None:
    info = ServiceInfo(service="s", pid=1, protocol=1, methods=[], max_payload=2, arena=3)
    assert decode("s", msgspec.msgpack.encode(asdict(info) | {"later": [1]}), ServiceInfo) == info


@pytest.mark.parametrize("reply", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"service": 1}), b"\x81\xa7service\xa1\xff"])
def test_other_answers_are_incompatible(reply: bytes) -> None:
    for kind in (ServiceInfo, Stats):
        with pytest.raises(nanorpc.Incompatible, match="service odd"):
            decode("odd", reply, kind)
