"""The full comparison, ``python -m nanorpc.compare``: its cases, who takes part in which, and why not in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from nanorpc.compare.contenders import BATCH, GO, IDLE, PEER, PYTHON, Contender


@dataclass(frozen=True)
class Case:
    """What is measured."""

    name: str
    about: str
    sizes: tuple[int, ...] = (64,)
    """Of payloads, in bytes."""
    inflight: int = 1
    clients: int = 1
    rates: tuple[float, ...] = (0,)
    computing: bool = False
    """Another thread of the client computes meanwhile."""
    python_only: bool = False


CASES: Mapping[str, Case] = MappingProxyType(
    {
        case.name: case
        for case in (
            Case("echo", "bytes there and back, one call at a time", (64, 4 << 10, 64 << 10, 1 << 20, 16 << 20)),
            Case("inflight", "64 calls in flight, of one client", inflight=BATCH),
            Case("clients", "8 client processes, one call at a time each", clients=8),
            Case("rate", "calls at even intervals, timed from when they are due", rates=(1_000, 20_000)),
            Case("beside", "bytes there and back, while another thread of the client computes", computing=True, python_only=True),
            Case("typed", "add(2, 3)", (0,), python_only=True),
            Case("array", "a NumPy array of float32 there and back", (8 << 20,), python_only=True),
            Case(IDLE, "CPU time of 10 connected clients that do not call, and of their server", clients=10),
        )
    }
)

_ECHO_CASES = ("echo", "clients", "rate", "beside", IDLE)
"""Those in which a client makes one call at a time."""


@dataclass(frozen=True)
class Entrant:
    """Who takes part, by language and name."""

    language: str
    name: str
    module: str = ""
    """Of :mod:`nanorpc.peers`, if it is in Python."""
    transport: str = PEER
    """Who serves: see :class:`Contender`."""
    needs: str = ""
    """What has to be installed: see :class:`Contender`."""
    distribution: str = ""
    """Under which name its version is known."""
    polls: bool = False
    loop: str = "echo"
    """How a client makes one call at a time: see :mod:`nanorpc.compare.loops`."""
    loops: Mapping[str, str] = field(default_factory=dict)
    """How it is called in other cases."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Cases that have other modules."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Cases that it takes no part in, and why."""
    program: str = ""
    """The name of its program, in Go."""

    @property
    def title(self) -> str:
        """What identifies it."""
        return f"{self.language}/{self.name}"

    def path(self, programs: str) -> str:
        """Return where its program is in the folder of those in Go; nothing if it has none."""
        return str(Path(programs) / self.program) if self.program else ""

    def contenders(self, case: Case, programs: str) -> list[Contender]:
        """Return it as it takes part in a case, at each rate: not at all, perhaps. ``programs`` is the folder of those in Go."""
        if case.name in self.absent or (self.language == GO and case.python_only):
            return []
        return [
            Contender(
                case.name,
                self.name,
                self.modules.get(case.name, self.module),
                transport=self.transport,
                loop=self.loop if case.name in _ECHO_CASES else self.loops.get(case.name, case.name),
                inflight=case.inflight,
                needs=self.needs,
                sizes=case.sizes,
                clients=case.clients,
                rate=rate,
                computing=case.computing,
                program=self.path(programs),
                polls=self.polls,
            )
            for rate in case.rates
        ]


_BYTES_ONLY = MappingProxyType({"typed": "it carries bytes: it has no methods with arguments"})
_PIPELINE = MappingProxyType({"inflight": "pipeline", "array": "mirror"})
_BATCHES = MappingProxyType({"inflight": "batches", "array": "mirror"})
_ICEORYX = MappingProxyType({"typed": "its types are memory layouts of messages: it has no methods with arguments"})


def _go(name: str, polls: bool = False, absent: Mapping[str, str] = MappingProxyType({}), program: str = "benchmark") -> Entrant:
    return Entrant(GO, name, transport=name, polls=polls, absent=absent, program=program)


_SPINS = MappingProxyType({IDLE: "it is the floor of times: it spins all the time"})

ENTRANTS = (
    _go("limit", True, _SPINS),
    _go("limit-copy", True, _SPINS),
    _go("nanorpc"),
    _go("nanorpc-loan"),
    _go("uds"),
    _go("tcp"),
    _go("grpc", program="grpc"),
    _go("nats", program="nats"),
    Entrant(
        PYTHON, "nanorpc-go", "nanorpc_go", "nanorpc", loops=_BATCHES, absent={"typed": "its server is the benchmark's in Go, which has bytes only"}
    ),
    Entrant(PYTHON, "nanorpc", "nanorpc_python", needs="numpy", loops=_BATCHES),
    Entrant(
        PYTHON,
        "nanorpc-loan",
        "nanorpc_loan",
        needs="numpy",
        loop="stamps",
        loops={"array": "mirror"},
        absent={"inflight": "batches have no loans", "typed": "arguments are encoded, and not written in place"},
    ),
    Entrant(PYTHON, "uds", "uds", "python-uds", loops={"inflight": "threads", "array": "mirror"}, absent=_BYTES_ONLY),
    Entrant(PYTHON, "multiprocessing", "connection", loops=_PIPELINE, absent={"typed": "it carries objects: it has no methods"}),
    Entrant(PYTHON, "pyzmq", "pyzmq", needs="zmq", distribution="pyzmq", loops=_PIPELINE, absent=_BYTES_ONLY),
    Entrant(
        PYTHON,
        "grpcio",
        "grpcio",
        needs="grpc google.protobuf",
        distribution="grpcio",
        loops={"inflight": "aio", "array": "mirror"},
        modules={"inflight": "grpc_aio", "typed": "grpc_typed"},
    ),
    Entrant(PYTHON, "Pyro5", "pyro5", needs="Pyro5 msgpack", distribution="Pyro5", loops=_BATCHES),
    Entrant(PYTHON, "rpyc", "rpyc", needs="rpyc", distribution="rpyc", loops=_PIPELINE),
    Entrant(PYTHON, "iceoryx2", "iceoryx2", needs="iceoryx2", distribution="iceoryx2", polls=True, loops=_PIPELINE, absent=_ICEORYX),
    Entrant(PYTHON, "iceoryx2-wait", "iceoryx2_wait", needs="iceoryx2", distribution="iceoryx2", loops=_PIPELINE, absent=_ICEORYX),
)


def choose_cases(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names, in their own order, or all if there are none.

    :raises ValueError: with a text for the user, for an unknown case.
    """
    for name in names:
        if name not in CASES:
            raise ValueError(f"“{name}” is no case: there are {', '.join(CASES)}")
    return [case for name, case in CASES.items() if not names or name in names]


def choose_entrants(names: Sequence[str]) -> list[Entrant]:
    """Return those of these names, in any letters: of both languages, or of that which comes before it with a slash; or all if there are no names.

    :raises ValueError: with a text for the user, for an unknown name.
    """
    wanted = {name.lower() for name in names}
    chosen = [entrant for entrant in ENTRANTS if not wanted or {entrant.name.lower(), entrant.title.lower()} & wanted]
    known = {text.lower() for entrant in chosen for text in (entrant.name, entrant.title)}
    for name in names:
        if name.lower() not in known:
            raise ValueError(f"“{name}” is no contender: there are {', '.join(entrant.title for entrant in ENTRANTS)}")
    return chosen
