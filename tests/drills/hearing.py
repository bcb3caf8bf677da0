"""Participants as they stand at NOW, from the gaps in what they hear."""

from __future__ import annotations

from labctl.crowd.media import Gap, MediaView, SourceView

NOW = 150.0


def source(
    *gaps: tuple[float, float],
    owner: str = "b",
    last_at: float = NOW,
    media: str = "audio",
    packets: int = 1000,
    lost: int = 0,
) -> SourceView:
    """One source; a gap is when it began and how long it lasted."""
    name = f"{owner}-{media}"
    return SourceView(
        name=name,
        owner=owner,
        media=media,
        ssrc=1,
        packets=packets,
        bytes=1,
        lost=lost,
        jitter=0.0,
        longest_gap=0.0,
        first_at=90.0,
        last_at=last_at,
        gone=False,
        gaps=tuple(Gap(name, owner, media, at, seconds) for at, seconds in gaps),
    )


def view(*sources: SourceView) -> MediaView:
    """A participant that receives these."""
    return MediaView(
        nick="a",
        at=NOW,
        sessions=1,
        invited_at=80.0,
        connected_at=81.0,
        bridge="jvb1",
        address="10.0.0.1",
        port=10000,
        problem=None,
        lost=None,
        reaches=(),
        offered=(),
        channel=None,
        sources=sources,
        sent=(),
        spoiled=0,
    )
