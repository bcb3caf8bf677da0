"""The search for what is bad: values in, values out.  What a trial is, the caller knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class TrialOutcome(StrEnum):
    """What came of a trial."""

    GOOD = "good"
    BAD = "bad"
    OTHER = "fails otherwise"
    """It fails, but not in the way that is searched for."""
    UNKNOWN = "could not judge"
    IMPOSSIBLE = "cannot be installed"

    @property
    def decided(self) -> bool:
        return self in (TrialOutcome.GOOD, TrialOutcome.BAD)


Test = Callable[[frozenset[str]], TrialOutcome]
"""Tries the good set with so many packages of the bad one; asked twice, it answers at once."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """Sets of packages that are bad; none can lose one of its members and still is.

    `unsure` are members of such a set of which that could not be tried."""

    sets: tuple[frozenset[str], ...] = ()
    unsure: frozenset[str] = frozenset()


def find_suspects(
    names: Sequence[str], test: Test, *, closure: Callable[[Collection[str]], frozenset[str]]
) -> Suspects:
    """Which packages make a bad set bad, given that all of `names` together do.

    One is exchanged at a time; one that cannot be exchanged alone goes with what it needs, and
    comes later.  Then the rest without those found: what is bad only together is left.
    """
    found: list[frozenset[str]] = []
    for name in sorted(names, key=lambda name: len(closure({name}))):
        alone = frozenset({name})
        outcome = test(alone)
        group = closure(alone) if outcome is TrialOutcome.IMPOSSIBLE else alone
        if len(group) == len(names) and len(names) > 1:
            # That is the bad set itself; it is made smaller below.
            continue
        known = any(each <= group for each in found)
        if not known and (outcome if group == alone else test(group)) is TrialOutcome.BAD:
            found.append(minimal(group, test))
    rest = frozenset(names).difference(*found)
    if rest and (not found or (len(rest) > 1 and test(rest) is TrialOutcome.BAD)):
        found.append(minimal(rest, test))
    return Suspects(tuple(found), _unsure(found, test))


def minimal(bad: frozenset[str], test: Test) -> frozenset[str]:
    """A part of a bad set that is bad and of which every smaller part that can be tried is not.

    Zeller's ddmin: parts, then what is left without a part, in ever smaller parts."""
    parts = 2
    while len(bad) > 1:
        pieces = split(sorted(bad), min(parts, len(bad)))
        rests = [bad - piece for piece in pieces] if len(pieces) > 2 else []
        smaller = next((each for each in (*pieces, *rests) if test(each) is TrialOutcome.BAD), None)
        if smaller is not None:
            parts = 2 if smaller in pieces else max(parts - 1, 2)
            bad = smaller
        elif parts < len(bad):
            parts = min(2 * parts, len(bad))
        else:
            break
    return bad


def split(names: Sequence[str], count: int) -> list[frozenset[str]]:
    """So many parts of about the same size."""
    bounds = [len(names) * i // count for i in range(count + 1)]
    return [frozenset(names[low:high]) for low, high in pairwise(bounds)]


def _unsure(found: Sequence[frozenset[str]], test: Test) -> frozenset[str]:
    """Members without which a set could not be tried."""
    return frozenset(
        name for each in found if len(each) > 1 for name in each if not test(each - {name}).decided
    )


@dataclass(frozen=True, slots=True)
class FirstBad:
    """The first bad of some versions in order, by index; -1 stands for what is before the first.

    `between` could not be tried: the first bad one may be one of these."""

    good: int
    bad: int
    between: tuple[int, ...] = ()


def find_first_bad(count: int, test: Callable[[int], TrialOutcome]) -> FirstBad | None:
    """The first bad one of `count` versions, if the newest is bad; None if it is not.

    What comes after a bad version is taken to be bad, as in every bisection."""
    if test(count - 1) is not TrialOutcome.BAD:
        return None
    good, bad = -1, count - 1
    while inside := range(good + 1, bad):
        middle = (good + bad) / 2
        for index in sorted(inside, key=lambda each: abs(each - middle)):
            outcome = test(index)
            if outcome.decided:
                good, bad = (good, index) if outcome is TrialOutcome.BAD else (index, bad)
                break
        else:
            return FirstBad(good, bad, tuple(inside))
    return FirstBad(good, bad)
