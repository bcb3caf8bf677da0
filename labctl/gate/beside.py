"""Labs side by side: whether this machine bears two, and how both sides keep in step.

Both sides begin their machines, their measurements and their removal together, so each sees the
same machine.  What the other lab's nodes use is not load of others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from labctl.core.errors import LabError
from labctl.gate.load import LOADAVG
from labctl.host.network import PRIVATE, find_conflict
from labctl.lab.fit import available_mib, gib, memory_mib
from labctl.lab.network import moved
from labctl.topology.lab import Lab
from labctl.topology.spec import Spec

PROCESSORS_EACH = 4
"""A lab whose programs all start at once uses so many; with fewer each side disturbs the other."""

SPARE_MIB = 1024
MEET_SECONDS = 5400.0
"""How long a side waits for the other: the other may have images to bake, and both have suites."""

NEAR = 16
"""How many of the following networks may be tried for the second lab."""


@dataclass(frozen=True, slots=True)
class Room:
    """What this machine has: processors, how many of them are busy, and MiB of memory that is
    available."""

    processors: int
    busy: float
    available_mib: int


@dataclass(slots=True)
class Beside:
    """The labs that run at the same time.  A side that is alone meets nobody and never waits."""

    parties: int = 1
    stopped: bool = False
    labs: dict[str, Lab] = field(default_factory=dict)
    _barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        self._barrier = threading.Barrier(self.parties)

    def begin(self) -> None:
        """Both sides begin a run."""
        self.labs.clear()
        self._barrier.reset()

    def alone(self) -> None:
        """The other side has no run to do, or did not come so far: nobody waits for it."""
        self._barrier.abort()

    def stop(self) -> None:
        """The gate was interrupted: failures from now on say nothing about packages."""
        self.stopped = True
        self.alone()

    def meet(self) -> None:
        """Wait until the other side is here, unless it does not come."""
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(timeout=MEET_SECONDS)

    def others(self, label: str) -> list[Lab]:
        """The other labs that are up."""
        return [lab for name, lab in list(self.labs.items()) if name != label]


def read_room() -> Room:
    """This machine now; processors are busy by the load average of the last minute."""
    processors = os.cpu_count() or 1
    busy = min(float(LOADAVG.read_text().split()[0]), processors)
    return Room(processors, busy, available_mib())


def why_not_beside(specs: Sequence[Spec], room: Room) -> str | None:
    """Why two labs at once would disturb each other on this machine; None if they would not."""
    processors = PROCESSORS_EACH * len(specs)
    memory = sum(memory_mib(spec) for spec in specs)
    lacking = []
    if room.processors - room.busy < processors:
        lacking.append(
            f"{processors} free processors (of {room.processors} here, {room.busy:.1f} are busy)"
        )
    if room.available_mib < memory + SPARE_MIB:
        lacking.append(f"{gib(memory + SPARE_MIB)} of memory ({gib(room.available_mib)} available)")
    return f"two labs at once need {' and '.join(lacking)}" if lacking else None


def second_network(first: IPv4Network) -> IPv4Network:
    """The next network of the same size that nothing on this machine uses.

    Errors: LabError if none of the next ones is free."""
    for network in following(first):
        if find_conflict(network) is None:
            return network
    raise LabError(
        f"None of the {NEAR} networks after {first} is free for the second lab.",
        hint="Name another one with '--network', or use '--no-side-by-side'.",
    )


def following(first: IPv4Network) -> Iterable[IPv4Network]:
    """Private networks of the same size that come after `first`."""
    for step in range(1, NEAR + 1):
        network = moved(first, by=step)
        if any(network.subnet_of(block) for block in PRIVATE):
            yield network
