"""Gates on a machine that others use, too: runs as they would be measured, without a lab.

A program's start is work, which others make longer, and waiting, which they do not.  Others come
and go: long spells and short bursts, some with a tail that is heavy (Pareto's, without a variance).
What is measured of them is not exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from labctl.gate.job import Found
from labctl.gate.measures import Load, Up
from labctl.gate.model import CaseOutcome, GateCase, Side, Trouble

RETRY_SECONDS = 5.0
"""A bridge that finds nobody to log in to tries again after so long: nobody's fault."""

WORK = {"machines": 4.0, "provision": 6.0, "ready": 1.5}
STARTS = {"jitsi-videobridge2": (0.9, 0.6), "jicofo": (0.8, 0.7)}
"""Seconds of work and of waiting in one start."""


@dataclass
class Machine:
    """A machine that others use: 'quiet', 'steady', in 'bursts', 'rising', with a 'heavy' tail."""

    kind: str
    rng: random.Random
    clock: int = 0
    spell: float = 0.0

    def lost(self) -> float:
        """The share of the processors that others have during the next run."""
        self.clock += 1
        match self.kind:
            case "quiet":
                share = self.rng.uniform(0.02, 0.1)
            case "steady":
                share = self.rng.gauss(0.45, 0.05)
            case "bursts":
                if self.rng.random() < 0.4:
                    self.spell = self.rng.choice([0.05, 0.05, 0.3, 0.6, 0.9])
                share = self.spell + self.rng.gauss(0, 0.04)
            case "rising":
                share = 0.05 + 0.04 * self.clock + self.rng.gauss(0, 0.03)
            case _:
                share = 0.1 * self.rng.paretovariate(1.1)
        return min(max(share, 0.0), 0.97)

    def takes(self, work: float, waiting: float, lost: float) -> float:
        """Seconds of something; now and then it takes far longer for no reason that is measured."""
        seconds = waiting + work / (1 - lost) * self.rng.lognormvariate(0, 0.06)
        if self.rng.random() < (0.02 if self.kind == "quiet" else 0.1):
            seconds += 0.5 * self.rng.paretovariate(1.3)
        return seconds


@dataclass
class SimulatedLab:
    """A side whose runs are made up: `slower` seconds are added to every start of its bridge."""

    machine: Machine
    label: str
    slower: float = 0.0
    found: Found = field(init=False)
    trouble: Trouble | None = None

    def __post_init__(self) -> None:
        tests = (GateCase("acceptance/test_x.py::test_a", CaseOutcome.PASSED),)
        self.found = Found(Side(self.label, "debs:/x", tests=tests))

    def run(self, *, exam: bool) -> None:
        self.found.add(ups=(*self.found.side.ups, self._up()))

    def _up(self) -> Up:
        rng, lost = self.machine.rng, self.machine.lost()
        seconds = {name: self.machine.takes(work, 0.5, lost) for name, work in WORK.items()}
        if rng.random() < 0.2:
            seconds["ready"] += RETRY_SECONDS
        seconds["ready"] += self.slower * rng.uniform(0.2, 0.8)
        starts, cpu = {}, {}
        for name, (work, waiting) in STARTS.items():
            late = self.slower if name == "jitsi-videobridge2" else 0.0
            starts[name] = tuple(self.machine.takes(work, waiting + late, lost) for _ in range(3))
            # Two programs on the two threads of one core slow each other down.
            cpu[name] = tuple(work * (1 + 0.4 * lost) * rng.gauss(1, 0.05) for _ in range(3))
        measured = min(max(lost + rng.gauss(0, 0.05), 0.0), 1.0)
        used = {"prosody": 1.2 * (1 + 0.4 * lost) * rng.gauss(1, 0.08)}
        return Up(seconds, starts, cpu, used, Load(sum(seconds.values()), 2, measured))


def simulated_sides(kind: str, seed: int, *, slower: float = 0.0) -> Sequence[SimulatedLab]:
    """A baseline and a candidate on one machine."""
    machine = Machine(kind, random.Random(f"{kind} {seed}"))
    return SimulatedLab(machine, "baseline"), SimulatedLab(machine, "candidate", slower)
