"""How a measure is spread over a crowd: median, 95th percentile, maximum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Spread:
    """Of times, in seconds."""

    count: int
    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Spread | None:
        """None where nobody got so far."""
        times = sorted(seconds)
        if not times:
            return None
        return cls(len(times), percentile(times, 50), percentile(times, 95), times[-1])

    def to_json(self) -> dict[str, float]:
        """To the tenth of a millisecond; what is finer is noise."""
        seconds = {"p50": self.p50, "p95": self.p95, "max": self.max}
        return {"count": self.count, **{name: round(at, 4) for name, at in seconds.items()}}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values in order; at least `share` % are no larger."""
    return ordered[max(ceil(len(ordered) * share / 100), 1) - 1]
