"""The result of a drill, as reports, the gate and programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document


class DrillVerdict(StrEnum):
    """How a drill, or one expectation, came out."""

    EXPECTED = "as expected"
    BETTER = "better than upstream used to be"
    WORSE = "worse"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ActRecord:
    """One step of a drill, in words."""

    fault: str
    where: str


@dataclass(frozen=True, slots=True)
class DrillFinding:
    """How one expectation of act number `act` came out; not `judged` if it was not due."""

    act: int
    says: str
    verdict: DrillVerdict
    seen: str
    judged: bool = True


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A participant: which part it has in the drill, and its name."""

    part: str
    name: str


@dataclass(frozen=True, slots=True)
class MomentRecord:
    """Something that was seen `at` seconds after the beginning of act number `act`."""

    act: int
    at: float
    part: str
    subject: str
    mark: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HeardRecord:
    """What one participant heard ('audio') or saw ('video') of the others from the fault on.

    `stopped` are the seconds without it, pauses of less than a second left out; `loss` is the
    share of packets that never came (0-1).
    """

    part: str
    name: str
    media: str
    stopped: float
    longest_pause: float
    at_the_end: bool
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """A drill in words, and what it showed.

    `began` is seconds since 1970; `patience` says by how much every bound and `budget_seconds`
    were longer.  `heard` says in words what `media` has in figures; `newest` is the verdict by what
    the newest known packages do, where it is another one.  `left` says what is wrong with the lab
    afterwards, if anything.
    """

    name: str
    verdict: DrillVerdict
    seconds: float
    title: str = ""
    fault: str = ""
    undone: str = ""
    watched: str = ""
    upstream: str = ""
    weakness: str | None = None
    budget_seconds: float = 0.0
    needs: tuple[str, ...] = ()
    reason: str = ""
    patience: float = 1.0
    began: float = 0.0
    hit: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    acts: tuple[ActRecord, ...] = ()
    findings: tuple[DrillFinding, ...] = ()
    heard: tuple[str, ...] = ()
    media: tuple[HeardRecord, ...] = ()
    watched_seconds: float = 0.0
    packages: Mapping[str, str] = field(default_factory=dict)
    newest: DrillVerdict | None = None
    people: tuple[PersonRecord, ...] = ()
    timeline: tuple[MomentRecord, ...] = ()
    healthy_after: float | None = None
    repaired: str = ""
    left: str = ""

    @property
    def bad(self) -> bool:
        """Whether it came out worse than today's upstream, or left a lab that is not healthy."""
        return self.verdict is DrillVerdict.WORSE or bool(self.left)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl drill run --json` writes it for each drill."""
        return {"format": DRILL.format, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> DrillRecord:
        """The record that `to_json` wrote.  Errors: StateError."""
        return read_document(data, DRILL, name="drill")


DRILL: StateKind[DrillRecord] = StateKind(format=1, parse=partial(from_plain, DrillRecord))


def drills_to_json(drills: Iterable[DrillRecord]) -> list[dict[str, Any]]:
    """Plain data for drills.json."""
    return [each.to_json() for each in drills]


def drills_from_json(data: object) -> tuple[DrillRecord, ...]:
    """The drills of a drills.json: a list, or an object that holds it as 'drills'.

    Errors: StateError.
    """
    found = data.get("drills") if isinstance(data, dict) else data
    items = found if isinstance(found, list) else [found]
    return tuple(DrillRecord.from_json(each) for each in items)
