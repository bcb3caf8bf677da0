"""What every check gets, and how it reads what the exercise says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.core.progress import Progress
from labctl.topology.lab import Lab
from labctl.training.exercise import Exercise


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The lab, the exercise, and what was noted when it began; `given` is the check's own table."""

    lab: Lab
    exercise: Exercise
    progress: Progress
    given: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    began: float = 0.0
    """When the exercise began, in seconds since 1970."""

    def text(self, key: str, default: str = "") -> str:
        return str(self.given.get(key, default))
