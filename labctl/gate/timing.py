"""Figures of runs, side by side: which runs form pairs, and whether more are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, assert_never

from labctl.core.plain import to_plain
from labctl.core.waiting import Patience
from labctl.gate.certainty import LEAST_RUNS, Pair, TimingVerdict, compare_pairs
from labctl.gate.measures import Up

PHASES = ("machines", "provision", "ready")
"""Phases of `up` that start what is in the images.  The others make or look for images."""

JUDGED = ("provision", "ready")
"""Phases in which the packages' own programs start; the rest is the machine's."""

SURE_STARTS, SURE_PHASES = 4, 6
"""Pairs that must count for a candidate to be slower, where there are others that do not; a phase
has races in it, such as a bridge that tries again after 5 s because Prosody was not up yet."""

MOST_LOST = 0.7
MOST_APART = 0.2
"""A pair counts where neither side lost more than this share of the processors to others, and
their shares are no further apart."""

AGAIN_TIMES, UNCLEAR_TIMES = 2, 4
"""How many times the pairs that were asked for are run before something slower fails a candidate,
and at most, where it stays unclear whether something is or too few pairs count."""


class Part(StrEnum):
    """What a figure measures."""

    PHASE = "phase of up"
    START = "start of a program"
    START_CPU = "CPU time of a program's start"
    CPU = "CPU time of a kind of unit"


@dataclass(frozen=True, slots=True)
class Summary:
    """Some runs, their median and their range, in seconds."""

    runs: tuple[float, ...]
    median: float
    least: float
    most: float

    @property
    def text(self) -> str:
        """The median, with the least, the most and how often where there were several runs."""
        count = len(self.runs)
        noise = f" ({self.least:.1f}-{self.most:.1f}, {count} runs)" if count > 1 else ""
        return f"{self.median:.1f}{noise}"


@dataclass(frozen=True, slots=True)
class Timing:
    """One figure on both sides, in seconds; `pairs` is empty if there is no baseline."""

    phase: str
    candidate: tuple[float, ...]
    pairs: tuple[Pair, ...]
    verdict: TimingVerdict

    @property
    def baseline(self) -> tuple[float, ...]:
        return tuple(pair.baseline for pair in self.pairs)

    @property
    def sides(self) -> tuple[Summary, ...]:
        """The candidate, and the baseline if there is one."""
        return tuple(summary(runs) for runs in (self.candidate, self.baseline) if runs)

    @property
    def pair_by_pair(self) -> str:
        """Candidate less baseline in each pair; pairs that do not count are in brackets."""
        found = (f"{pair.difference:+.1f}" for pair in self.pairs)
        return " ".join(
            text if pair.counts else f"({text})"
            for pair, text in zip(self.pairs, found, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for gate.json."""
        return {
            "phase": self.phase,
            "candidate": to_plain(summary(self.candidate)),
            "baseline": to_plain(summary(self.baseline)) if self.baseline else None,
            "pairs": to_plain(self.pairs),
            "verdict": str(self.verdict),
        }


def summary(seconds: Sequence[float]) -> Summary:
    """Median and range of some runs, to the millisecond."""
    return Summary(
        runs=tuple(round(each, 3) for each in seconds),
        median=round(median(seconds), 3),
        least=round(min(seconds), 3),
        most=round(max(seconds), 3),
    )


def compare_timings(
    candidate: Sequence[Up], baseline: Sequence[Up], *, patience: Patience
) -> list[Timing]:
    """Every figure that the candidate has: phases, then starts, then CPU time."""
    found = (
        _compare(figure, candidate, baseline, patience=patience) for figure in _figures(candidate)
    )
    return [timing for timing in found if timing is not None]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is read from a run: seconds of a phase, of a program's start, or of its CPU time."""

    name: str
    part: Part
    key: str

    def read(self, up: Up) -> float | None:
        """The figure of one run, None if it was not measured."""
        match self.part:
            case Part.PHASE:
                return up.seconds.get(self.key)
            case Part.START:
                return _best(up.starts.get(self.key))
            case Part.START_CPU:
                return _best(up.start_cpu.get(self.key))
            case Part.CPU:
                return up.cpu.get(self.key)
            case _:
                assert_never(self.part)

    @property
    def judged(self) -> bool:
        return self.part is not Part.PHASE or self.key in JUDGED

    @property
    def sure(self) -> int:
        """How many pairs must count."""
        return SURE_PHASES if self.part is Part.PHASE else SURE_STARTS


def _figures(ups: Sequence[Up]) -> list[Figure]:
    starts = dict.fromkeys(name for up in ups for name in up.starts)
    used = dict.fromkeys(name for up in ups for name in up.start_cpu)
    units = sorted({name for up in ups for name in up.cpu})
    return [
        *(Figure(phase, Part.PHASE, phase) for phase in PHASES),
        *(Figure(f"start of {name}", Part.START, name) for name in starts),
        *(Figure(f"CPU to start {name}", Part.START_CPU, name) for name in used),
        *(Figure(f"CPU of {name}", Part.CPU, name) for name in units),
    ]


def _best(values: Sequence[float] | None) -> float | None:
    """Others only ever make a start longer: the shortest of a run is the least disturbed."""
    return min(values) if values else None


def _compare(
    figure: Figure, candidate: Sequence[Up], baseline: Sequence[Up], *, patience: Patience
) -> Timing | None:
    alone = tuple(value for up in candidate if (value := figure.read(up)) is not None)
    if not alone:
        return None
    pairs = tuple(
        Pair(new, old, counts)
        for mine, other, counts in pair_runs(candidate, baseline)
        if (new := figure.read(mine)) is not None and (old := figure.read(other)) is not None
    )
    verdict = TimingVerdict.NOT_JUDGED
    if figure.judged:
        verdict = compare_pairs(pairs, patience=patience, sure=figure.sure)
    return Timing(figure.name, alone, pairs, verdict)


def wants_pair(timings: Sequence[Timing], *, pairs: int, runs: int) -> bool:
    """Whether another pair of runs is worth its time, with `runs` asked for and `pairs` had.

    What looks worse is looked at again before it fails a candidate, and pairs that do not count
    are repeated; both have an end.
    """
    if pairs < runs or runs < LEAST_RUNS:
        return pairs < runs
    found = {timing.verdict for timing in timings}
    if TimingVerdict.SLOWER in found:
        return pairs < AGAIN_TIMES * runs
    counted = min((sum(p.counts for p in timing.pairs) for timing in timings), default=pairs)
    again = TimingVerdict.UNCLEAR in found or counted < LEAST_RUNS
    return again and pairs < UNCLEAR_TIMES * runs


def pair_runs(candidate: Sequence[Up], baseline: Sequence[Up]) -> Iterator[tuple[Up, Up, bool]]:
    """Runs that belong together, and whether they count: those that had as much of the machine.

    That is first of all the two that came one after the other.  Where one of them was disturbed
    its partner is paired with another such of the other side, that had as much of the machine.
    """
    together = list(zip(candidate, baseline, strict=False))
    yield from ((mine, other, True) for mine, other in together if alike(mine, other))
    apart = [pair for pair in together if not alike(*pair)]
    mine, others = ([pair[side] for pair in apart] for side in (0, 1))
    for run in sorted(mine, key=_lost):
        fitting = min(others, key=lambda other: abs(_lost(run) - _lost(other)))
        others.remove(fitting)
        yield run, fitting, alike(run, fitting)


def _lost(up: Up) -> float:
    return up.load.lost if up.load is not None else 0.0


def alike(one: Up, other: Up) -> bool:
    """Whether both runs had about as much of the machine, and enough of it."""
    if one.load is None or other.load is None:
        return True
    lost = (one.load.lost, other.load.lost)
    return max(lost) <= MOST_LOST and max(lost) - min(lost) <= MOST_APART
