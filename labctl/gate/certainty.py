"""Whether one figure is worse than another, from pairs of both: by enough, and not by chance.

A figure is worse only when it is worse by enough, in pairs in which both sides had about as much of
this machine, and by more than the spread of those pairs allows.  A figure that looks worse without
being that clear is not judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import mean, median, stdev

from labctl.core.waiting import Patience

LEAST_RUNS = 3
"""The fewest pairs that say anything about noise."""

WORSE_RATIO = 1.25
WORSE_SECONDS = 1.0
"""A figure that is slower by less than either never decides, whatever the noise."""

LEAST_SPREAD = 0.15
"""Seconds; that a few differences are closer together than this is chance."""

TRIMMED = 7
"""Of this many differences the largest and the smallest are omitted."""

# Student's t at 99.9 %, one side, by degrees of freedom; the last serves for all that are more.
_STUDENT = (318.3, 22.33, 10.21, 7.173, 5.893, 5.208, 4.785, 4.501, 4.297, 4.144, 4.025, 3.930)


class TimingVerdict(StrEnum):
    """How a figure of the candidate compares with that of the baseline."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    UNCLEAR = "could not judge"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure on both sides, one right after the other; `counts` if the load was similar."""

    candidate: float
    baseline: float
    counts: bool = True

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


def compare_pairs(
    pairs: Sequence[Pair], *, patience: Patience, sure: int = LEAST_RUNS
) -> TimingVerdict:
    """The verdict of the pairs that count; if those are too few, all pairs are used, and they
    cannot make a candidate slower or faster.

    For a candidate to be slower `sure` pairs must count, or all.
    """
    if len(pairs) < LEAST_RUNS:
        return TimingVerdict.NOT_JUDGED
    counted = [each for each in pairs if each.counts]
    enough = len(counted) >= LEAST_RUNS
    chosen = counted if enough else pairs
    if looks_slower(chosen, patience=patience):
        certain = enough and len(counted) >= min(len(pairs), sure) and surely(chosen)
        return TimingVerdict.SLOWER if certain else TimingVerdict.UNCLEAR
    swapped = [Pair(each.baseline, each.candidate) for each in chosen]
    faster = enough and looks_slower(swapped, patience=patience) and surely(swapped)
    return TimingVerdict.FASTER if faster else TimingVerdict.SAME


def looks_slower(pairs: Sequence[Pair], *, patience: Patience) -> bool:
    """Whether the candidate took long enough to matter."""
    worth = max(
        patience.scaled(WORSE_SECONDS),
        median(each.baseline for each in pairs) * (WORSE_RATIO - 1),
    )
    return median(each.difference for each in pairs) > worth


def surely(pairs: Sequence[Pair]) -> bool:
    """Whether the candidate took longer by more than chance explains.

    What is not the packages' fault only ever makes a run longer, so the best run of each side is
    near to what they take by themselves: if the candidate's is as good, nothing is proven."""
    apart = [each.difference for each in pairs]
    best = min(each.candidate for each in pairs) - min(each.baseline for each in pairs)
    return lower_bound(apart) > 0 and best > median(apart) / 2


def lower_bound(differences: Sequence[float]) -> float:
    """What the true difference is more than, with a certainty of 99.9 %, for three and more.

    Yuen's interval of a trimmed mean: one burst of load in seven pairs does not blind it, because
    the largest and the smallest difference count as their neighbours."""
    ordered = sorted(differences)
    count, cut = len(ordered), len(ordered) // TRIMMED
    kept = ordered[cut : count - cut]
    pulled = [min(max(each, kept[0]), kept[-1]) for each in ordered]
    spread = max(stdev(pulled), LEAST_SPREAD)
    error = spread * sqrt((count - 1) / (len(kept) * (len(kept) - 1)))
    return mean(kept) - student(len(kept) - 1) * error


def student(freedom: int) -> float:
    """How many standard errors a figure lies above its true value at most, at 99.9 %."""
    return _STUDENT[min(max(freedom, 1), len(_STUDENT)) - 1]
