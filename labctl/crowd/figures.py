"""Figures of a crowd, from what its participants recorded: counts, losses, times per phase.

Pure: views in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.crowd.events import Event, Kind
from labctl.crowd.media.figures import MediaFigures
from labctl.crowd.spread import Spread

PHASES: Mapping[str, tuple[Kind | None, Kind]] = {
    "connect": (None, Kind.CONNECTED),
    "auth": (Kind.CONNECTED, Kind.AUTHENTICATED),
    "conference": (Kind.AUTHENTICATED, Kind.ANSWERED),
    "join": (Kind.ANSWERED, Kind.JOINED),
    "invite": (Kind.JOINED, Kind.INVITED),
    "all": (None, Kind.INVITED),
    "media": (Kind.INVITED, Kind.MEDIA),
    "channel": (Kind.MEDIA, Kind.CHANNEL),
    "first audio": (Kind.INVITED, Kind.HEARD),
    "first video": (Kind.INVITED, Kind.SEEN),
}
"""What each phase lasts from and to, by the first event of a kind; None is the beginning.

A visitor's 'join' holds its second connection and login, those to the vnode.
"""


@dataclass(frozen=True, slots=True)
class History:
    """One participant: when it began (monotonic seconds), what it recorded, where it stands."""

    nick: str
    began: float
    state: str
    invited: bool
    """It has a session with a bridge now."""
    events: Sequence[Event]
    firsts: Mapping[Kind, Event] = field(init=False)
    """The first event of each kind: thousands of histories are asked for all of them."""

    def __post_init__(self) -> None:
        firsts = {event.kind: event for event in reversed(self.events)}
        object.__setattr__(self, "firsts", firsts)

    def first(self, kind: Kind) -> Event | None:
        return self.firsts.get(kind)

    def has(self, kind: Kind) -> bool:
        return kind in self.firsts


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of a crowd; see `labctl.crowd.record` for how it is told."""

    asked: int = 0
    """How many were to come; those that never began are among them."""
    began: int = 0
    joined: int = 0
    present: int = 0
    """In the room now, or until they left as they wanted to."""
    redirected: Mapping[str, int] = field(default_factory=dict)
    """By vnode."""
    invited: int = 0
    in_call: int = 0
    """With a session now: invited, and invited again after every termination."""
    terminated: int = 0
    reinvited: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    """By reason, the participants that were lost or never came in."""
    removed: Mapping[str, int] = field(default_factory=dict)
    """By reason, those that the server put out of the room."""
    phases: Mapping[str, Spread] = field(default_factory=dict)
    media: MediaFigures | None = None
    """Of those with media; None where nobody was to have any."""

    @property
    def well(self) -> bool:
        """Everybody came, was invited and stayed, and all media that was asked for passed."""
        there = self.asked == self.joined == self.present == self.in_call
        return there and (self.media is None or self.media.well)

    def to_json(self) -> dict[str, Any]:
        phases = {name: spread.to_json() for name, spread in self.phases.items()}
        own = ("phases", "media")
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in own}
        maps = {name: dict(value) for name, value in plain.items() if isinstance(value, Mapping)}
        media = {"media": self.media.to_json()} if self.media is not None else {}
        return {**plain, **maps, "well": self.well, "phases": phases, **media}


def summarise(
    crowd: Sequence[History], *, asked: int, media: MediaFigures | None = None
) -> Figures:
    """The figures of these participants, of `asked` that were wanted."""
    alive = ("joined", "left")
    return Figures(
        asked=asked,
        began=sum(1 for one in crowd if one.events or one.state != "new"),
        joined=_having(crowd, Kind.JOINED),
        present=sum(1 for one in crowd if one.state in alive and one.has(Kind.JOINED)),
        redirected=_counted(_vnodes(crowd)),
        invited=_having(crowd, Kind.INVITED),
        in_call=sum(1 for one in crowd if one.state in alive and one.invited),
        terminated=_having(crowd, Kind.TERMINATED),
        reinvited=_having(crowd, Kind.REINVITED),
        lost=_counted(_reasons(crowd, Kind.LOST)),
        removed=_counted(_reasons(crowd, Kind.REMOVED)),
        phases={name: spread for name in PHASES if (spread := _phase(crowd, name)) is not None},
        media=media,
    )


def merge(parts: Sequence[Figures]) -> Figures:
    """The counts of several crowds together, to be shown while they go on.

    Spreads cannot be added, so there are none; media is that of the one part that has any.
    """
    return Figures(
        asked=sum(part.asked for part in parts),
        began=sum(part.began for part in parts),
        joined=sum(part.joined for part in parts),
        present=sum(part.present for part in parts),
        redirected=_added(part.redirected for part in parts),
        invited=sum(part.invited for part in parts),
        in_call=sum(part.in_call for part in parts),
        terminated=sum(part.terminated for part in parts),
        reinvited=sum(part.reinvited for part in parts),
        lost=_added(part.lost for part in parts),
        removed=_added(part.removed for part in parts),
        media=next((part.media for part in parts if part.media is not None), None),
    )


def _added(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _having(crowd: Sequence[History], kind: Kind) -> int:
    return sum(1 for one in crowd if one.has(kind))


def _vnodes(crowd: Sequence[History]) -> Iterable[str]:
    events = (one.first(Kind.REDIRECTED) for one in crowd)
    return (event.details.get("vnode", "") for event in events if event is not None)


def _reasons(crowd: Sequence[History], kind: Kind) -> Iterable[str]:
    for one in crowd:
        event = one.first(kind)
        if event is not None:
            yield explain(event.details.get("reason", ""), nick=one.nick)


def explain(reason: str, *, nick: str) -> str:
    """A reason without what differs from participant to participant, to be counted by."""
    told = reason.replace(f"Participant '{nick}' ", "").replace(nick, "…")
    return told.partition("; last seen")[0].rstrip(".") or "no reason given"


def _counted(words: Iterable[str]) -> dict[str, int]:
    return _added([Counter(words)])


def _phase(crowd: Sequence[History], name: str) -> Spread | None:
    start, end = PHASES[name]
    return Spread.of(_durations(crowd, start, end))


def _durations(crowd: Sequence[History], start: Kind | None, end: Kind) -> Iterable[float]:
    for one in crowd:
        finish = one.first(end)
        begin = one.began if start is None else getattr(one.first(start), "at", None)
        # Who asks over HTTP has its answer before it connects: that phase is not there.
        if finish is not None and begin is not None and finish.at >= begin:
            yield finish.at - begin
