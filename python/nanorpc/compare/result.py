"""What a contender has come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from nanorpc.compare.contenders import PYTHON, Contender, reference
from nanorpc.compare.timing import Figures


@dataclass
class Result:
    """One contender at one size of one case, after one or more rounds."""

    case: str
    contender: str
    size_bytes: int
    """Of a request; 0 for a typed call."""
    inflight: int
    rounds: list[Figures] = field(default_factory=list)
    language: str = PYTHON
    clients: int = 1
    rate: float = 0
    """Calls a second, at even intervals; 0: a closed loop."""

    @classmethod
    def of(cls, contender: Contender, size: int) -> Result:
        """Return the result of a contender that has not been measured yet."""
        return cls(contender.case, contender.name, size, contender.inflight, [], contender.language, contender.clients, contender.rate)

    def median(self, figure: str) -> float:
        """Return the median of the rounds' figures of a name."""
        values: list[float] = [round_[figure] for round_ in self.rounds]
        return median(values)

    def total(self, figure: str) -> int:
        """Return the sum of the rounds' figures of a name."""
        return int(sum(round_[figure] for round_ in self.rounds))

    def spread(self) -> tuple[float, float]:
        """Return the least and the greatest p50 of a round, in ns."""
        times = [round_["p50_ns"] for round_ in self.rounds]
        return min(times), max(times)

    def as_dict(self, results: Sequence[Result]) -> dict[str, Any]:
        """Return the figures with the keys of ``./benchmark -json``, ``case`` and ``contender`` in place of ``transport``.

        ``ratio`` is how many times as long as that of ``ratio_to``, the NanoRPC contender of the case, its p50 is; both are None where that was not
        measured.
        """
        low, high = self.spread()
        beside = compared_with(self, results)
        return {
            "case": self.case,
            "contender": self.contender,
            "size_bytes": self.size_bytes,
            "inflight": self.inflight,
            "calls": self.total("calls"),
            **{name: self.median(name) for name in ("mean_ns", "p50_ns", "p99_ns", "p999_ns", "calls_per_s")},
            "errors": self.total("errors"),
            "rounds": len(self.rounds),
            "p50_low_ns": low,
            "p50_high_ns": high,
            "ratio": self.median("p50_ns") / beside.median("p50_ns") if beside else None,
            "ratio_to": beside.contender if beside else None,
        }


def compared_with(result: Result, results: Sequence[Result]) -> Result | None:
    """Return the result of NanoRPC in the same case at the same size, or None if there is none."""
    same = {other.contender: other for other in results if (other.case, other.size_bytes) == (result.case, result.size_bytes)}
    name = reference(list(same))
    return None if name is None else same[name]
