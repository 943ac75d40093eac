"""Who takes part in what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

CASES = ("echo", "typed", "batch", "aio", "array")
"""What is measured: ``echo``, bytes there and back, one call at a time; ``typed``, ``add(2, 3)``; ``batch``, 64 calls of one caller at once, where
times are a 64th of the batch's; ``aio``, 64 asyncio tasks; ``array``, halving an array of float32.
"""

BATCH = 64
"""Calls of a batch."""

TASKS = 64
"""Tasks that call at once, in ``aio``."""

PEER = "peer"
"""The transport of a server that :mod:`nanorpc.peers` has."""

GO, PYTHON = "Go", "Python"
"""Languages."""

IDLE = "idle"
"""The case in which clients are connected, and do not call."""

RARE = 1000
"""A rate, in calls a second, at which there are few calls in a round."""

_RARE_PATIENCE, _IDLE_PATIENCE = 3, 4

LONGER = f"{_RARE_PATIENCE} times as long at {RARE:,} calls/s, {_IDLE_PATIENCE} times without calls"
"""What :attr:`Contender.patience` comes to."""


@dataclass(frozen=True)
class Contender:
    """One row of the table, at each size."""

    case: str
    name: str
    module: str
    """Its file in :mod:`nanorpc.peers`."""
    transport: str = PEER
    """Who serves: a transport of :mod:`nanorpc._peer`, :data:`PEER`, or nobody if it is empty."""
    loop: str = ""
    """How its client is called, by the name of its context manager, where that is not the case's."""
    inflight: int = 1
    """Calls at once."""
    needs: str = ""
    """What has to be installed, by the names under which it is imported, with spaces between them."""
    sizes: tuple[int, ...] = ()
    """Payload sizes in bytes, if not those of the plan."""
    clients: int = 1
    """Processes that call at the same time."""
    rate: float = 0
    """Calls a second of each client, at even intervals; 0: a closed loop."""
    computing: bool = False
    """Another thread of the client computes meanwhile."""
    program: str = ""
    """Path of a program in Go that is its server and its clients, instead of Python's."""
    polls: bool = False
    """Its processes use the CPU while they wait, and so run while it is their turn only."""

    @property
    def language(self) -> str:
        """What its clients are written in."""
        return GO if self.program else PYTHON

    @property
    def stays(self) -> bool:
        """Whether its processes stay from one of its turns to the next: unless they disturb others, or are many."""
        return not self.polls and self.clients == 1

    @property
    def patience(self) -> int:
        """How many durations a round of it lasts: more where so little CPU time is used that it takes a while to be seen, or calls are so few that
        what else the machine does for a moment would be all of it.
        """
        return _IDLE_PATIENCE if self.case == IDLE else _RARE_PATIENCE if 0 < self.rate <= RARE else 1

    def installed(self) -> bool:
        """Whether what it needs is there. Imports nothing of that."""
        try:
            return all(find_spec(name) for name in self.needs.split())
        except ModuleNotFoundError:  # what it is a part of is not there
            return False


CONTENDERS = (
    Contender("echo", "limit", "limit", transport="", loop="floor"),
    Contender("echo", "nanorpc", "nanorpc_go", transport="nanorpc"),
    Contender("echo", "nanorpc-python", "nanorpc_python", needs="numpy"),
    Contender("echo", "nanorpc-aio", "nanorpc_go", transport="nanorpc", loop="aio"),
    Contender("echo", "uds", "uds", transport="python-uds"),
    Contender("echo", "multiprocessing", "connection"),
    Contender("echo", "pyzmq", "pyzmq", needs="zmq"),
    Contender("echo", "grpcio", "grpcio", needs="grpc"),
    Contender("echo", "grpc.aio", "grpc_aio", loop="aio", needs="grpc"),
    Contender("typed", "nanorpc-python", "nanorpc_python", needs="numpy"),
    Contender("typed", "Pyro5", "pyro5", needs="Pyro5"),
    Contender("typed", "rpyc", "rpyc", needs="rpyc"),
    Contender("batch", "nanorpc-batch", "nanorpc_go", transport="nanorpc", inflight=BATCH),
    Contender("aio", "nanorpc-aio", "nanorpc_go", transport="nanorpc", inflight=TASKS),
    Contender("aio", "grpc.aio", "grpc_aio", inflight=TASKS, needs="grpc"),
    Contender("array", "nanorpc-python", "nanorpc_python", needs="numpy"),
    Contender("array", "numpy", "numpy", transport="", needs="numpy"),
)

FLOAT_SIZE = 4
"""Bytes of an element of the arrays."""

_REFERENCES = ("nanorpc-python", "nanorpc", "nanorpc-batch", "nanorpc-aio")


def reference(names: Sequence[str]) -> str | None:
    """Return with which of a case's contenders the others are compared: NanoRPC, with Python at both ends, as the others have, if that is there."""
    return next((name for name in _REFERENCES if name in names), None)


def choose(cases: Sequence[str], names: Sequence[str]) -> list[Contender]:
    """Return the contenders of some cases, in the order of the table: those of these names in any case, or all if there are no names.

    :raises ValueError: with a text for the user, for an unknown case or contender, or a contender that has no part in these cases.
    """
    for case in cases:
        if case not in CASES:
            raise ValueError(f"“{case}” is no case: there are {', '.join(CASES)}")
    possible = [contender for contender in CONTENDERS if contender.case in cases]
    for name in names:
        having = [contender for contender in CONTENDERS if contender.name.lower() == name.lower()]
        if not having:
            raise ValueError(f"“{name}” is no contender: there are {', '.join(dict.fromkeys(contender.name for contender in CONTENDERS))}")
        if not any(contender in possible for contender in having):
            raise ValueError(f"{having[0].name} takes part in {' and '.join(contender.case for contender in having)} only")
    wanted = {name.lower() for name in names}
    return [contender for contender in possible if not wanted or contender.name.lower() in wanted]


def sizes_of(case: str, sizes: Sequence[int]) -> list[int]:
    """Return the payload sizes of a case in bytes: the given ones, or its own if there are none. A typed call has none to choose: 0.

    :raises ValueError: with a text for the user, for a size that no array has.
    """
    if case == "typed":
        return [0]
    if case != "array":
        return list(sizes) or [64]
    if odd := [size for size in sizes if size < FLOAT_SIZE or size % FLOAT_SIZE]:
        raise ValueError(f"an array cannot have {odd[0]} bytes: its elements have {FLOAT_SIZE} each")
    return list(sizes) or [64 << 20]
