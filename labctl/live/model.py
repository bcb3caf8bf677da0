"""A running lab at one moment: the values that the live views show and programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.ready.record import NEVER, BridgeRecord
from labctl.report.lines import LogLine


class NodeMood(StrEnum):
    """How much is known of a node at present."""

    ASKED = "asked"
    """It has not answered yet, and there was no time for it to fail."""
    FINE = "fine"
    TROUBLED = "troubled"
    """It answers, and a unit does not run or a signal is missing."""
    STALE = "stale"
    """It answered before; what is shown is old."""
    SILENT = "silent"
    """It has never answered."""


@dataclass(frozen=True, slots=True)
class LiveNode:
    """A node: `age` is the seconds since its last answer, None if it never answered.

    `error` is why it did not answer the last time.  `units` are in systemd's words.
    """

    name: str
    role: str
    address: str
    mood: NodeMood
    age: float | None = None
    error: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    idle_units: tuple[str, ...] = ()
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a bridge receives and sends per second now, relays left out, as it says itself."""

    packets_in: float
    packets_out: float
    bits_in: float
    bits_out: float


@dataclass(frozen=True, slots=True)
class Group:
    """People of one conference, by their endpoints' ids."""

    room: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Present:
    """Who is on a bridge or a vnode, as Jicofo says: the first of them, and how many are left out.

    The people of small conferences are missing in a lab that has many conferences.
    """

    groups: tuple[Group, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class LiveBridge:
    """A bridge as Jicofo sees it, and what it says about itself; None for what is not known.

    `stale` says that its node does not answer, so that its own figures are old.
    """

    nick: str
    node: str
    stale: bool
    in_brewery: bool
    operational: bool
    healthy: bool | None = None
    draining: bool = False
    shutting_down: bool = False
    stress: float | None = None
    conferences: int | None = None
    endpoints: int | None = None
    visitors: int | None = None
    traffic: Traffic | None = None
    media: BridgeRecord = NEVER
    """When media was last seen to pass, by 'up', 'verify' or a drill."""
    present: Present = Present()


@dataclass(frozen=True, slots=True)
class LiveVNode:
    """A visitor Prosody.

    `clients` are connections from nginx, one for each visitor; up to two idle ones per nginx
    process stay for a minute.  `s2s_in` and `s2s_out` are the connections from and to the main
    Prosody, which open when the first visitor comes.
    """

    name: str
    node: str
    unit: str
    stale: bool
    active: bool
    registered: bool
    clients: int | None = None
    s2s_in: int | None = None
    s2s_out: int | None = None
    present: Present = Present()
    """The visitors whom Jicofo has invited to a bridge; all others are in `clients` only."""


@dataclass(frozen=True, slots=True)
class Person:
    """A participant by its endpoint's id, on a bridge (empty: on none yet).

    `vnode` is that of a visitor; empty for others, and as long as Jicofo has not invited it.
    """

    id: str
    bridge: str = ""
    visitor: bool = False
    vnode: str = ""


@dataclass(frozen=True, slots=True)
class LiveConference:
    """A conference; `people` are the first of them, `left_out` counts those who are not there."""

    room: str
    participants: int
    visitors: int = 0
    bridges: Mapping[str, int] = field(default_factory=dict)
    """Participants by the nick of their bridge."""
    people: tuple[Person, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Jicofo's own figures; None if it does not answer."""

    conferences: int | None = None
    participants: int | None = None
    visitors: int | None = None
    moved: int | None = None
    lost_bridges: int | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """A known mistake that the lab shows, and its cure; `page` explains it."""

    where: str
    says: str
    cure: str
    page: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lab at the time `at` (seconds since 1970); `missing` is by the signal's name."""

    lab: str
    at: float
    domain: str
    network: str
    provider: str
    relays: bool
    healthy: bool
    complete: bool = True
    """Whether every node has been asked; before, nothing is said of health."""
    missing: Mapping[str, str] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    stand_ins: tuple[str, ...] = ()
    drill: str = ""
    """The drill that is running or was interrupted."""
    totals: Totals = Totals()
    nodes: tuple[LiveNode, ...] = ()
    bridges: tuple[LiveBridge, ...] = ()
    vnodes: tuple[LiveVNode, ...] = ()
    conferences: tuple[LiveConference, ...] = ()
    more_conferences: int = 0
    lines: tuple[LogLine, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl watch --json` prints it."""
        return {"format": LIVE.format, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> Snapshot:
        """The snapshot that `to_json` wrote.  Errors: StateError."""
        return read_document(data, LIVE, name="snapshot")


LIVE: StateKind[Snapshot] = StateKind(format=1, parse=partial(from_plain, Snapshot))
