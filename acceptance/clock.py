"""How far the nodes' clocks are from this machine's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from acceptance import remote
from acceptance.remote import Machine

LOOKS = 2


@dataclass(frozen=True, slots=True)
class Offset:
    """A node's clock minus this machine's, in seconds; right within `error`."""

    seconds: float
    error: float

    def __str__(self) -> str:
        return f"the clock is off by {self.seconds:+.3f} s (known within {self.error:.3f} s)"


def look(machines: Mapping[str, Machine]) -> dict[str, Offset | str]:
    """Every node's offset; a text says why there is none.

    The answer lies between question and reply, so half of that time is the error (as in NTP);
    the quickest of several looks counts.
    """

    def one(machine: Machine) -> Offset | str:
        try:
            return min((_ask(machine) for _ in range(LOOKS)), key=lambda offset: offset.error)
        except remote.SilentNodeError as error:
            return error.message

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(machines, pool.map(one, machines.values()), strict=True))


def _ask(machine: Machine) -> Offset:
    asked = time.time()
    said = float(remote.run(machine, "date +%s.%N").stdout)
    answered = time.time()
    return Offset(said - (asked + answered) / 2, (answered - asked) / 2)
