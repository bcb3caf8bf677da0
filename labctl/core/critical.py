"""The critical path of a run: the steps that held up its end, one after another.

No step waits without a reason: it begins when the last step that it needs has ended.  So what held
up a step is the one that ended last before it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labctl.core.progress import StepTime, Timings

BETWEEN = 0.02
"""Seconds between the end of a step and the beginning of the one that waited for it, at most.

Among steps that ended so close to each other, one of the same node counts as the reason."""
SHOWN = 0.1
"""Seconds that are worth a line."""
REST = "between steps"


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step of the critical path; `node` is None for what this machine did."""

    phase: str
    node: str | None
    what: str
    seconds: float

    def __str__(self) -> str:
        where = self.node or self.phase
        return f"{where}: {self.what} {self.seconds:.1f} s"


def critical_path(timings: Timings) -> tuple[PathStep, ...]:
    """The steps that held up the end, in order, without what took less than 0.1 s.

    A phase without steps is one, and so is what no step of a phase accounts for.
    """
    return tuple(step for step in _path(timings.seconds, timings.steps) if step.seconds >= SHOWN)


def _path(phases: Mapping[str, float], steps: Sequence[StepTime]) -> Iterator[PathStep]:
    for phase, seconds in phases.items():
        chain = _chain([step for step in steps if step.phase == phase])
        yield from (PathStep(phase, it.node, it.what, round(it.seconds, 3)) for it in chain)
        rest = seconds - sum(step.seconds for step in chain)
        yield PathStep(phase, None, REST if chain else "all of it", round(rest, 3))


def _chain(steps: Sequence[StepTime]) -> list[StepTime]:
    """Back from the step that ended last, to the one that waited for none."""
    chain: list[StepTime] = []
    left = list(steps)
    while left:
        last = max(step.ended for step in left)
        near = [step for step in left if step.ended >= last - BETWEEN]
        mine = [step for step in near if chain and step.node == chain[0].node]
        chain.insert(0, max(mine or near, key=lambda step: step.ended))
        left = [step for step in left if step.ended <= chain[0].began + BETWEEN / 4]
        left = [step for step in left if step is not chain[0]]
    return chain
