"""What the gate tries on one side, and what is known about that side so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labctl.core.progress import Progress
from labctl.gate.beside import Beside
from labctl.gate.load import Sample, take_sample
from labctl.gate.model import Side
from labctl.topology.spec import Spec

MACHINES = "machines"
"""The phase of `up` that follows the images."""


@dataclass(frozen=True, slots=True)
class SideJob:
    """What to try, and how thoroughly.

    `drills` are names for `labctl drill run`; none run if it is empty.  With `keep`, a lab whose
    packages failed is kept so that one can look inside.  `soak` is the length of the leak run in
    seconds; 0 is none.  `e2e` is the folder of an end-to-end suite, if one is to be run.
    `identity` names the packages by their contents, and is empty if they are not known; `beside` is
    the lab that runs at the same time; `resumed` is whether an earlier gate in this folder was
    interrupted."""

    label: str
    source: str
    spec: Spec
    folder: Path
    runs: int = 1
    quick: bool = False
    drills: tuple[str, ...] = ()
    e2e: Path | None = None
    stand_ins: bool = False
    keep: bool = False
    soak: float = 0.0
    identity: str = ""
    beside: Beside = field(default_factory=Beside)
    resumed: bool = False


def _nothing() -> None:
    """What happens when nobody waits for it."""


@dataclass(slots=True)
class Phase:
    """A Progress that knows in which phase the work is.

    `before` is this machine as it was when the lab's machines were begun, or else when the run was:
    baking images is not load of others, so it must not cost a pair.  `wait` is called before the
    machines of a run are begun; `name` is told with each line, where another side works as well.
    Before the first run nothing is begun: what an earlier gate left is removed without waiting."""

    progress: Progress
    now: str = "packages"
    before: Sample = field(default_factory=take_sample)
    begun: bool = True
    wait: Callable[[], None] = _nothing
    name: str = ""

    def begin(self) -> None:
        """A run begins."""
        self.before, self.begun = take_sample(), False

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        if phase == MACHINES and not self.begun:
            self.begun = True
            self.wait()
            self.before = take_sample()
        self.now = phase
        self.progress(phase, f"{self.name}: {message}" if self.name else message, node=node)


@dataclass(slots=True)
class Found:
    """What is known about a side so far.

    `runs` is how many of its runs are over; `save` is called after every change, so that an
    interrupted gate can continue."""

    side: Side
    not_tried: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    save: Callable[[], None] = _nothing

    def add(self, **values: Any) -> None:
        self.side = replace(self.side, **values)
        self.save()

    def wants(self, part: str) -> bool:
        """Whether a part (a field of `Side` that is None until it was tried) is still to be
        tried."""
        return getattr(self.side, part) is None and part not in self.not_tried

    def finish_run(self) -> None:
        self.runs += 1
        self.save()

    def forget_runs(self) -> None:
        """The figures of all runs are measured again."""
        self.runs = 0
        self.add(ups=())

    def done(self) -> Side:
        return replace(self.side, not_tried=dict(self.not_tried))
