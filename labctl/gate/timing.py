"""Seconds against seconds, with their noise: no verdict where the ranges of the runs meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from labctl.waiting import scaled

PHASES = ("machines", "provision", "ready")
"""Phases of `up` that start what is in the images.  The others make or look for images."""

JUDGED = ("provision", "ready")
"""Phases in which the packages' own programs start; the rest is the machine's."""

LEAST_RUNS = 3
"""Runs on each side from which on anything can be said about noise."""

WORSE_RATIO = 1.25
WORSE_SECONDS = 1.0
"""Slower by less than either is not worth a verdict, whatever the noise."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One phase on both sides; `verdict` is 'slower', 'faster', 'same' or 'not judged'."""

    phase: str
    candidate: tuple[float, ...]
    baseline: tuple[float, ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "candidate": summary(self.candidate),
            "baseline": summary(self.baseline) if self.baseline else None,
            "verdict": self.verdict,
        }


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """Median and range of some runs, in seconds."""
    return {
        "runs": [round(each, 3) for each in seconds],
        "median": round(median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
    }


def compare_timings(
    candidate: Sequence[Mapping[str, float]], baseline: Sequence[Mapping[str, float]]
) -> list[Timing]:
    """Each phase on both sides, in the order of PHASES."""
    found = []
    for phase in PHASES:
        new = tuple(each[phase] for each in candidate if phase in each)
        old = tuple(each[phase] for each in baseline if phase in each)
        if new:
            verdict = compare_seconds(new, old) if phase in JUDGED else "not judged"
            found.append(Timing(phase, new, old, verdict))
    return found


def compare_seconds(new: Sequence[float], old: Sequence[float]) -> str:
    """'slower' or 'faster' only where the ranges do not meet and the medians are far apart."""
    if min(len(new), len(old)) < LEAST_RUNS:
        return "not judged"
    for word, fast, slow in (("slower", old, new), ("faster", new, old)):
        apart = max(fast) < min(slow)
        far = median(slow) > median(fast) * WORSE_RATIO
        if apart and far and median(slow) - median(fast) > scaled(WORSE_SECONDS):
            return word
    return "same"
