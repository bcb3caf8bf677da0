"""What a participant in a browser reports: events and getStats' figures as values.

Times are seconds since the epoch, durations are seconds; the page reports milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MS = 0.001


@dataclass(frozen=True, slots=True)
class BrowserEvent:
    """One event; `kind` is a value of `crowd.events.Kind`, or one of these:
    'media-connected' and other states of the peer connection, 'channel-open', 'channel-closed'.
    """

    kind: str
    at: float
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReceivedTrack:
    """One track of another participant, as getStats counts it (W3C, webrtc-stats)."""

    owner: str
    name: str
    media: str
    codec: str
    ssrc: int
    packets: int
    bytes: int
    lost: int
    jitter: float
    frames_decoded: int
    frames_dropped: int
    key_frames: int
    freezes: int
    width: int
    height: int
    plis: int
    nacks: int
    audio_energy: float
    """Grows while there is sound; silence, concealed or sent, adds nothing."""
    audio_seconds: float
    concealed: int
    first_packet: float | None
    last_packet: float | None
    longest_gap: float
    """The longest time without a packet, also across a change of bridge and while it lasts."""
    longest_gap_at: float | None


@dataclass(frozen=True, slots=True)
class SentTrack:
    """One of the participant's own tracks."""

    ssrc: int
    media: str
    packets: int
    bytes: int
    frames: int
    key_frames: int
    plis: int
    nacks: int
    target_bitrate: float
    limited_by: str
    """What limits the quality: 'bandwidth', 'cpu', 'none' or empty."""


@dataclass(frozen=True, slots=True)
class Address:
    """One end of the candidate pair that ICE chose."""

    address: str
    port: int
    protocol: str
    type: str

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol} ({self.type})"


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """The candidate pair to the bridge that ICE chose."""

    local: Address
    remote: Address
    rtt: float
    available_out: float
    """How much congestion control estimates that it can send, in bits a second."""
    dtls: str
    srtp: str


@dataclass(frozen=True, slots=True)
class BridgeChannel:
    """The channel to the bridge."""

    kind: str
    """'websocket' or 'sctp'."""
    open: bool
    received: Mapping[str, int]
    """Messages by colibriClass."""
    last: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a participant at one moment."""

    nick: str
    vnode: str | None
    now: float
    occupants: Mapping[str, str]
    """Nick -> role, including the focus and the participant itself."""
    events: tuple[BrowserEvent, ...]
    channel: BridgeChannel | None
    state: str
    """The peer connection's state: 'connected' if media can pass; 'none' without a session."""
    pair: CandidatePair | None
    received: tuple[ReceivedTrack, ...]
    sent: tuple[SentTrack, ...]

    def last(self, *kinds: str) -> BrowserEvent | None:
        """The last event of one of these kinds."""
        return next((one for one in reversed(self.events) if one.kind in kinds), None)

    def track(self, owner: str, media: str) -> ReceivedTrack | None:
        """A track that is received from somebody; None if there is none."""
        found = (one for one in self.received if (one.owner, one.media) == (owner, media))
        return next(found, None)


def parse_snapshot(data: Mapping[str, Any]) -> Snapshot:
    """The page's `figures()`."""
    media = data["media"] or {"state": "none", "pair": None, "received": (), "sent": ()}
    return Snapshot(
        nick=data["nick"],
        vnode=data["vnode"],
        now=data["now"] * MS,
        occupants=data["occupants"],
        events=tuple(
            BrowserEvent(one["kind"], one["at"] * MS, one["details"]) for one in data["events"]
        ),
        channel=BridgeChannel(**data["channel"]) if data["channel"] else None,
        state=media["state"],
        pair=_pair(media["pair"]),
        received=tuple(_received(one) for one in media["received"]),
        sent=tuple(SentTrack(**one) for one in media["sent"]),
    )


def _pair(data: Mapping[str, Any] | None) -> CandidatePair | None:
    if data is None:
        return None
    ends = {end: Address(**data[end]) for end in ("local", "remote")}
    return CandidatePair(**{**data, **ends})


def _received(data: Mapping[str, Any]) -> ReceivedTrack:
    times = ("first_packet", "last_packet", "longest_gap", "longest_gap_at")
    scaled = {name: None if data[name] is None else data[name] * MS for name in times}
    return ReceivedTrack(**{**data, **scaled})
