"""Figures of the media of a crowd.  Pure: views in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.crowd.media.problem import render_address
from labctl.crowd.media.receiver import NOTED_GAP, SourceView
from labctl.crowd.media.view import MediaView
from labctl.crowd.spread import Spread

KINDS = ("audio", "video")


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Sound, or picture, of everybody together."""

    complete: int
    """Participants that have received each source that others send."""
    sources: int
    """Received sources, each counted once for every receiver."""
    packets: int
    bytes: int
    lost: int
    silent: int
    """Sources without a packet now for longer than a gap takes."""
    jitter: Spread | None
    gap: Spread | None
    """The longest one of each source."""

    @property
    def loss(self) -> float:
        """The share that was lost, 0 to 1."""
        return self.lost / (self.packets + self.lost) if self.packets else 0.0

    def to_json(self) -> dict[str, Any]:
        plain = ("complete", "sources", "packets", "bytes", "lost", "silent")
        spreads = {"jitter": self.jitter, "longest_gap": self.gap}
        told = {name: one.to_json() if one else None for name, one in spreads.items()}
        return {
            **{name: getattr(self, name) for name in plain},
            "loss": round(self.loss, 5),
            **told,
        }


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """What became of the media of a crowd."""

    asked: int
    """How many participants were to have media."""
    connected: int
    """ICE and DTLS are up now, or were until the participant left."""
    channels: int
    """The bridge has answered on the channel."""
    sessions: int
    """Sessions with bridges: more than `asked` after re-invitations."""
    bridges: Mapping[str, int]
    """Participants by bridge: its nick or address."""
    failed: Mapping[str, int]
    """By reason, the participants whose media has failed."""
    kinds: Mapping[str, KindFigures]

    @property
    def well(self) -> bool:
        """Everybody was connected and received everybody."""
        complete = all(one.complete == self.asked for one in self.kinds.values())
        return self.asked == self.connected and not self.failed and complete

    def to_json(self) -> dict[str, Any]:
        plain = ("asked", "connected", "channels", "sessions")
        return {
            **{name: getattr(self, name) for name in plain},
            "well": self.well,
            "bridges": dict(self.bridges),
            "failed": dict(self.failed),
            **{name: one.to_json() for name, one in self.kinds.items()},
        }


def summarise_media(
    views: Sequence[MediaView], *, asked: int, kinds: Iterable[str] = KINDS
) -> MediaFigures:
    """The figures of these participants, of `asked` that were to have media."""
    connected = [view for view in views if view.connected_at is not None]
    where = (view.bridge or render_address(view.address, view.port) for view in connected)
    reasons = [problem for view in views if (problem := view.problem or view.lost) is not None]
    answered = (view for view in views if view.channel and view.channel.answered_at is not None)
    return MediaFigures(
        asked=asked,
        connected=len(connected),
        channels=sum(1 for _ in answered),
        sessions=sum(view.sessions for view in views),
        bridges=dict(sorted(Counter(where).items())),
        failed=dict(Counter(problem.message for problem in reasons)),
        kinds={kind: _kind(views, kind) for kind in kinds},
    )


def _kind(views: Sequence[MediaView], kind: str) -> KindFigures:
    senders = {view.nick for view in views if any(one.media == kind for one in view.sent)}
    sources = [one for view in views for one in view.sources if one.media == kind and one.packets]
    return KindFigures(
        complete=sum(1 for view in views if _complete(view, senders, kind)),
        sources=len(sources),
        packets=sum(one.packets for one in sources),
        bytes=sum(one.bytes for one in sources),
        lost=sum(one.lost for one in sources),
        silent=sum(1 for view in views for one in view.sources if _silent(one, kind, view.at)),
        jitter=Spread.of(one.jitter for one in sources),
        gap=Spread.of(one.longest_gap for one in sources),
    )


def _complete(view: MediaView, senders: set[str], kind: str) -> bool:
    owners = {one.owner for one in view.sources if one.media == kind and one.packets}
    return view.connected_at is not None and owners >= senders - {view.nick}


def _silent(one: SourceView, kind: str, now: float) -> bool:
    due = one.media == kind and not one.gone and one.last_at is not None
    return due and now - (one.last_at or now) >= NOTED_GAP
