"""The stanzas of a Jitsi conference: request, presence, promotion.  Text only, no state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.crowd.caps import PLAIN, Caps
from labctl.crowd.errors import CrowdError
from labctl.crowd.xml import (
    CLIENT,
    FOCUS,
    JITMEET,
    MUC,
    MUC_USER,
    NICK,
    VISITORS,
    Element,
    child,
    element,
    local,
    text,
)

SELF_STATUS = "110"  # XEP-0045: this presence is about you


@dataclass(frozen=True, slots=True)
class Answer:
    """The focus's answer to a conference request."""

    ready: bool
    vnode: str | None
    focus: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A presence in the room."""

    nick: str
    kind: str
    """'' available, 'unavailable', 'error'."""
    role: str
    affiliation: str
    statuses: frozenset[str]
    reason: str


def render_request(
    *, room_jid: str, machine: str, want_visitor: bool, token: str | None = None
) -> str:
    """The conference request that Jitsi's client sends (its moderator.js)."""
    children = [
        element("property", {"name": name, "value": value}, ns=FOCUS)
        for name, value in properties(want_visitor=want_visitor).items()
    ]
    attributes = {"room": room_jid, "machine-uid": machine, "token": token}
    return element("conference", attributes, *children, ns=FOCUS)


def properties(*, want_visitor: bool) -> dict[str, str]:
    """What a conference request says of the client."""
    found = {"visitors-version": "1", "rtcstatsEnabled": "false"}
    return found | ({"visitor": "true"} if want_visitor else {})


def parse_answer(iq: Element) -> Answer:
    """The answer in an IQ result; CrowdError where it holds none."""
    conference = child(iq, FOCUS, "conference")
    if conference is None:
        raise CrowdError("The conference request was answered without a conference.")
    return Answer(
        ready=conference.get("ready") == "true",
        vnode=conference.get("vnode") or None,
        focus=conference.get("focusjid", ""),
    )


def render_presence(
    occupant_jid: str,
    *,
    nick: str,
    sources: Mapping[str, Mapping[str, object]],
    caps: Caps = PLAIN,
    first: bool = False,
    hand: int | None = None,
    name: str | None = None,
) -> str:
    """Presence in the room; the first one carries <x/>, `hand` is when it was raised (ms) or 0.

    `sources` is the SourceInfo: by name, whether it is muted and what kind of picture it is.
    """
    children = [
        element("x", ns=MUC) if first else "",
        element("stats-id", None, text(f"Crowd-{nick[:3]}")),
        caps.element,
        element("SourceInfo", None, text(json.dumps(sources))),
        element("jitsi_participant_codecList", None, "vp8,opus"),
        element("nick", None, text(name or nick), ns=NICK),
    ]
    if hand is not None:
        children.append(element("jitsi_participant_raisedHand", None, str(hand)))
    return element("presence", {"to": occupant_jid}, *children, ns=CLIENT)


def parse_presence(presence: Element) -> Seen:
    """A presence stanza from a room (XEP-0045, 7.2)."""
    x = child(presence, MUC_USER, "x")
    item = child(x, MUC_USER, "item") if x is not None else None
    statuses = () if x is None else x.iterfind(f"{{{MUC_USER}}}status")
    return Seen(
        nick=presence.get("from", "").partition("/")[2],
        kind=presence.get("type", ""),
        role=item.get("role", "none") if item is not None else "none",
        affiliation=item.get("affiliation", "none") if item is not None else "none",
        statuses=frozenset(status.get("code", "") for status in statuses),
        reason=_reason(x),
    )


def _reason(x: Element | None) -> str:
    if x is None:
        return ""
    destroyed = child(x, MUC_USER, "destroy")
    words = x.findtext(f".//{{{MUC_USER}}}reason") or ""
    return f"room destroyed: {words}".rstrip(": ") if destroyed is not None else words


def parse_properties(presence: Element) -> dict[str, str] | None:
    """Jicofo's conference-properties, where a presence carries them."""
    found = child(presence, FOCUS, "conference-properties")
    if found is None:
        return None
    return {
        item.get("key") or item.get("name") or "": item.get("value", "")
        for item in found
        if local(item.tag) == "property"
    }


def parse_mute(iq: Element) -> str | None:
    """What the focus mutes (audio, video or desktop); None for other IQs."""
    for item in iq:
        namespace, _, name = item.tag[1:].partition("}")
        if name == "mute" and namespace.startswith(f"{JITMEET}/"):
            return namespace.removeprefix(f"{JITMEET}/")
    return None


def parse_promotion(iq: Element) -> tuple[bool, str] | None:
    """Whether a promotion-response allows, and under which user name; None for other IQs."""
    response = iq.find(f"{{{VISITORS}}}visitors/{{{VISITORS}}}promotion-response")
    if response is None:
        return None
    return response.get("allow") == "true", response.get("username", "")
