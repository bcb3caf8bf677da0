"""Who speaks: the dominant speaker of a conference, from audio levels; pure.

Far simpler than the original's: a level that falls slowly, and a lead that another one must have.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SMOOTHING = 0.1
LEAD = 6.0  # dB by which another one must be louder
LOUD_ENOUGH = 30.0  # of 127, which is loudest here
HOLD = 1.0  # seconds that a speaker stays at least
RECENT = 10


@dataclass(slots=True)
class Speakers:
    """Levels by endpoint, and the speakers, the dominant one first."""

    order: list[str] = field(default_factory=list)
    _levels: dict[str, float] = field(default_factory=dict)
    _since: float = -HOLD

    def heard(self, id: str, level: int) -> None:
        """A packet of `id` with its level in -dBov."""
        loudness = 127.0 - level
        before = self._levels.get(id, 0.0)
        self._levels[id] = before + (loudness - before) * SMOOTHING

    def decide(self, now: float) -> bool:
        """Whether the dominant speaker has changed."""
        best = max(self._levels, key=lambda id: self._levels[id], default=None)
        if best is None or self._levels[best] < LOUD_ENOUGH:
            return False
        current = self.order[0] if self.order else None
        if best == current or now - self._since < HOLD:
            return False
        if current is not None and self._levels[best] < self._levels.get(current, 0.0) + LEAD:
            return False
        self.order = [best, *(one for one in self.order if one != best)][: RECENT + 1]
        self._since = now
        return True

    def quieten(self) -> None:
        """Who sends nothing falls silent; called every tick."""
        for id in self._levels:
            self._levels[id] *= 0.98

    def remove(self, id: str) -> None:
        """An endpoint has left."""
        self._levels.pop(id, None)
        self.order = [one for one in self.order if one != id]
