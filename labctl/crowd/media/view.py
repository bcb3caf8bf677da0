"""The state of a participant's media, as a value that no longer changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.crowd.media.channel import ChannelView
from labctl.crowd.media.options import ChannelKind
from labctl.crowd.media.problem import MediaProblem, Reach
from labctl.crowd.media.receiver import Gap, SourceView


@dataclass(frozen=True, slots=True)
class SentView:
    """What one own source has sent in this session, and what it was asked for."""

    name: str
    media: str
    ssrc: int
    packets: int
    repeated: int
    """Packets sent again for a NACK."""
    pictures_asked: int
    """PLIs and FIRs."""


@dataclass(frozen=True, slots=True)
class MediaView:
    """One participant's media at `at` (monotonic seconds)."""

    nick: str
    at: float
    sessions: int
    """Sessions with bridges so far: more than one after a re-invitation."""
    invited_at: float | None
    connected_at: float | None
    """When ICE and DTLS of the present session were up; None where they are not."""
    bridge: str
    """Nick of the bridge where it is known."""
    address: str
    port: int
    """The bridge's address that media takes."""
    problem: MediaProblem | None
    """What has failed in this session for good."""
    lost: MediaProblem | None
    """A bridge that was connected does not answer now; it may come back, or another may invite."""
    reaches: tuple[Reach, ...]
    """Every candidate of the present session."""
    channel: ChannelView | None
    sources: tuple[SourceView, ...]
    sent: tuple[SentView, ...]
    spoiled: int
    offered: tuple[ChannelKind, ...] = ()
    """The kinds of channel that the bridge's last offer had."""

    def receives(self, owner: str, media: str, *, after: float = 0.0) -> bool:
        """Packets of this person's came after `after`."""
        return any(
            one.owner == owner and one.media == media and (one.last_at or 0.0) > after
            for one in self.sources
        )

    def first(self, media: str) -> float | None:
        """Seconds from the first invitation to the first packet of this kind, ever."""
        times = [one.first_at for one in self.sources if one.media == media]
        came = min((at for at in times if at is not None), default=None)
        return came - self.invited_at if came is not None and self.invited_at else None

    def gaps_since(self, since: float) -> list[Gap]:
        """Times without packets after `since`, per source, those that last included."""
        return [gap for one in self.sources for gap in one.gaps_since(since, now=self.at)]

    def longest_gap(self, media: str, *, since: float) -> Gap | None:
        """The longest of them for sound or picture."""
        found = [gap for gap in self.gaps_since(since) if gap.media == media]
        return max(found, key=lambda gap: gap.seconds, default=None)


def unreachable(views: Iterable[MediaView]) -> Iterator[Reach]:
    """Candidates that cannot be reached, each once."""
    seen: set[tuple[str, int, str]] = set()
    for view in views:
        for reach in view.reaches:
            key = (reach.address, reach.port, reach.protocol)
            if not reach.reachable and key not in seen:
                seen.add(key)
                yield reach
