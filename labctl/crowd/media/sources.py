"""Who sends what: the sources that Jicofo announces, by SSRC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labctl.crowd.xml import JINGLE, RTP, SSMA, Element, child

JITMEET = "http://jitsi.org/jitmeet"


@dataclass(frozen=True, slots=True)
class Source:
    """One SSRC of somebody's."""

    ssrc: int
    name: str
    """The source's name, `<owner>-a0` or `<owner>-v0`."""
    owner: str
    """Endpoint id, which is the nick in the room; 'jvb' for the bridge's own."""
    media: str
    repairs: bool = False
    """It carries retransmissions of another (FID)."""


def parse_sources(jingle: Element) -> tuple[Source, ...]:
    """The sources in a session-initiate, source-add or source-remove.

    Both spellings: <source/> elements (XEP-0339 with Jitsi's ssrc-info) and the compact JSON for
    clients that have the feature http://jitsi.org/json-encoded-sources.
    """
    return (*_classic(jingle), *_compact(jingle))


def _classic(jingle: Element) -> Iterator[Source]:
    for content in jingle.findall(f"{{{JINGLE}}}content"):
        description = child(content, RTP, "description")
        if description is None:
            continue
        media = description.get("media") or content.get("name") or ""
        repairing = _repairing(description)
        for item in description.iterfind(f"{{{SSMA}}}source"):
            info = child(item, JITMEET, "ssrc-info")
            owner = info.get("owner", "") if info is not None else ""
            ssrc = int(item.get("ssrc") or 0)
            owner = _endpoint(owner or item.get("name", "").rpartition("-")[0])
            name = item.get("name") or f"{owner}-{media[:1]}0"
            yield Source(ssrc, name, owner, media, ssrc in repairing)


def _repairing(description: Element) -> set[int]:
    """SSRCs that are second in a group FID (RFC 5576, 4.2)."""
    groups = description.iterfind(f"{{{SSMA}}}ssrc-group")
    return {
        int(item.get("ssrc") or 0)
        for group in groups
        if group.get("semantics") == "FID"
        for item in group.findall(f"{{{SSMA}}}source")[1:]
    }


def _compact(jingle: Element) -> Iterator[Source]:
    """[[video sources], [video groups], [audio sources], [audio groups]] for each owner."""
    for item in jingle.iter(f"{{{JITMEET}}}json-message"):
        try:
            told = json.loads(item.text or "{}")
        except ValueError:
            continue
        owners = told.get("sources") if isinstance(told, dict) else None
        if not isinstance(owners, dict):
            continue
        for owner, lists in owners.items():
            parts: list[list[Any]] = [*lists, [], [], []]
            video, groups, audio = parts[:3]
            repairing = {ssrc for group in groups if group[0] == "f" for ssrc in group[2:]}
            yield from _listed(owner, "video", video, repairing)
            yield from _listed(owner, "audio", audio, set())


def _listed(
    owner: str, media: str, items: list[dict[str, Any]], repairing: set[int]
) -> Iterator[Source]:
    owner = _endpoint(owner)
    for item in items:
        ssrc = int(item.get("s", 0))
        name = item.get("n") or f"{owner}-{media[:1]}0"
        yield Source(ssrc, name, owner, media, ssrc in repairing)


def _endpoint(owner: str) -> str:
    """An owner is a nick, or the address of an occupant."""
    return owner.rpartition("/")[2]
