"""What to measure, as the user has chosen it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from nanorpc.bench import TRANSPORTS, Config
from nanorpc.compare.contenders import CONTENDERS, Contender

_PYTHON = "py "

EXPLAINED: Mapping[str, str] = MappingProxyType(
    {
        "limit": "two processes that spin on two cache lines: the floor",
        "limit-copy": "the floor with the payload copied in and out",
        "nanorpc": "NanoRPC's ordinary calls, adaptive: spin, and then sleep",
        "nanorpc-busy": "NanoRPC, spinning all the time",
        "nanorpc-none": "NanoRPC, never spinning",
        "nanorpc-loan": "NanoRPC without copies: payloads stay where they are",
        "nanorpc-batch": "one caller of NanoRPC, with all calls in flight in one batch",
        "uds": "a Unix stream socket",
        "uds-batch": "one caller of a Unix stream socket, who sends all calls in flight at once",
        "py nanorpc": "a client in Python, a server in Go",
        "py nanorpc-python": "NanoRPC with Python at both ends",
        "py nanorpc-aio": "an asyncio client in Python, a server in Go",
        "py uds": "a Unix stream socket with Python at both ends",
        "py multiprocessing": "multiprocessing.connection, of the standard library",
        "py pyzmq": "ZeroMQ, REQ and REP over ipc",
        "py grpcio": "gRPC over a Unix socket",
        "py grpc.aio": "asyncio gRPC over a Unix socket",
    }
)


@cache
def python_contenders() -> Mapping[str, Contender]:
    """Return Python's own that are installed, by their names as transports. The floor is left out: it is that of Go."""
    echo = [contender for contender in CONTENDERS if contender.case == "echo" and contender.name != "limit"]
    return MappingProxyType({_PYTHON + contender.name: contender for contender in echo if contender.installed()})


def is_python(transport: str) -> bool:
    """Whether a transport has its client in Python."""
    return transport.startswith(_PYTHON)


def uds_of(transport: str) -> str:
    """Return the Unix socket with which a transport is compared: the client of both is in the same language."""
    return "py uds" if is_python(transport) else "uds"


def all_transports() -> list[str]:
    """Return everything that can be measured here."""
    return [*TRANSPORTS, *python_contenders()]


@dataclass(frozen=True)
class Plan:
    """What to measure: each transport at each size, with each number of calls in flight, and at each rate if there are any."""

    transports: Sequence[str] = ("limit", "nanorpc", "uds")
    sizes: Sequence[int] = (64, 4096, 65536)
    inflight: Sequence[int] = (1,)
    rates: Sequence[float] = ()
    """Calls a second; a closed loop if there are none."""
    duration_ms: int = 150
    """For each transport, size and round."""
    rounds: int = 5
    warmup_ms: int = 50
    spin: str = "adaptive"
    pin: bool = False

    def configs(self) -> list[Config]:
        """Return the runs of the core, one after the other."""
        return [
            Config(
                transports=[name for name in self.transports if not is_python(name)],
                sizes=self.sizes,
                duration_ms=self.duration_ms,
                rounds=self.rounds,
                inflight=inflight,
                spin=self.spin,
                rate=rate,
                warmup_ms=self.warmup_ms,
                pin=self.pin,
            )
            for inflight in self.inflight
            for rate in (self.rates or (0.0,))
            if any(not is_python(name) for name in self.transports)
        ]

    def contenders(self) -> list[Contender]:
        """Return Python's own."""
        known = python_contenders()
        return [known[name] for name in self.transports if name in known]

    def seconds(self) -> float:
        """Return how long it takes at least."""
        of_core = len(self.transports) - len(self.contenders())
        loads = len(self.inflight) * max(len(self.rates), 1)
        cases = of_core * loads * (self.duration_ms + self.warmup_ms) + len(self.contenders()) * self.duration_ms * 1.3
        return cases * len(self.sizes) * self.rounds / 1000

    def as_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` takes, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """Return the plan that was written down, perhaps by another version: what is not known is left out."""
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known}
        return cls(**given)


QUICK = Plan()

PRESETS: Mapping[str, Plan] = MappingProxyType(
    {
        "Quick 10 s": QUICK,
        "Latency": Plan(("limit", "nanorpc", "nanorpc-busy", "nanorpc-none", "uds"), (64,), duration_ms=1000, warmup_ms=200),
        "Throughput": Plan(("nanorpc", "nanorpc-batch", "uds", "uds-batch"), (64,), (1, 4, 16, 64), duration_ms=300, rounds=3),
        "Sizes": Plan(("limit-copy", "nanorpc", "nanorpc-loan", "uds"), (64, 512, 4096, 32768, 262144, 1 << 20, 4 << 20), duration_ms=200, rounds=3),
    }
)


def preset_of(plan: Plan) -> str | None:
    """Return the name of the preset that a plan is."""
    return next((name for name, preset in PRESETS.items() if replace(plan, spin=preset.spin, pin=preset.pin) == preset), None)
