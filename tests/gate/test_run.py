"""The order in which sides are tried, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.core.progress import silent
from labctl.gate.job import Found, Phase
from labctl.gate.measures import Load, Up
from labctl.gate.model import Side, Trouble
from labctl.gate.pairing import try_in_turn

QUIET = Load(20.0, 2, 0.05)
BUSY = Load(20.0, 2, 0.95)


@dataclass
class Recorded:
    """A side whose runs take what they are told to, and that notes when it is its turn."""

    label: str
    told: list[str]
    ready: float = 5.0
    load: Load = QUIET
    fails_at: int | None = None
    found: Found = field(init=False)
    trouble: Trouble | None = None

    def __post_init__(self) -> None:
        self.found = Found(Side(self.label, "debs:/x"))

    def run(self, *, exam: bool) -> None:
        self.told.append(self.label[0].upper() + ("!" if exam else ""))
        ups = (*self.found.side.ups, Up({"ready": self.ready}, load=self.load))
        self.found.add(ups=ups)
        if len(ups) == self.fails_at:
            self.trouble = Trouble("ready", "not ready", packages=True)


def order(*, runs: int, alone: bool = False, **values: object) -> str:
    told: list[str] = []
    candidate = Recorded("candidate", told, **values)  # type: ignore[arg-type]
    try_in_turn([candidate] if alone else [Recorded("baseline", told), candidate], runs=runs)
    return " ".join(told)


def test_sides_take_turns_and_each_is_the_first_as_often() -> None:
    assert order(runs=3) == "B! C! C B B C"


def test_one_side_alone() -> None:
    assert order(runs=2, alone=True) == "C! C"


def test_one_run_of_each() -> None:
    assert order(runs=1, ready=50.0, load=BUSY) == "B! C!"


def test_what_looks_slower_is_looked_at_again() -> None:
    assert order(runs=3, ready=9.0).count("C") == 6


def test_disturbed_runs_are_repeated_and_that_ends() -> None:
    assert order(runs=3, load=BUSY).count("C") == 12


def test_trouble_ends_it() -> None:
    assert order(runs=3, fails_at=2) == "B! C! C"


def test_load_is_measured_from_the_machines_on() -> None:
    """Images are baked once, before; a lab that goes down tells of its machines, too."""
    phase = Phase(silent)
    phase.begin()
    first = phase.before
    phase("images", "baking")
    assert phase.before is first
    phase("machines", "creating", node="jms")
    second = phase.before
    assert second.at > first.at
    phase("machines", "up", node="jms")
    assert phase.before is second
    assert phase.now == "machines"
