"""Jingle as far as Jicofo needs it: read its offers, accept them without media."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from labctl.crowd.xml import (
    DTLS,
    FOCUS,
    GROUPING,
    ICE_UDP,
    JINGLE,
    RTP,
    SSMA,
    Element,
    child,
    element,
    local,
)

FINGERPRINT = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
"""A DTLS fingerprint of the right form; no handshake follows, so no certificate stands behind."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A session-initiate: what is needed to accept it and to tell about it."""

    sid: str
    initiator: str
    bridge_session: str
    region: str
    contents: tuple[tuple[str, str], ...]
    """Name and media of each content, in order; 'data' has media 'application'."""


def parse_offer(jingle: Element) -> Offer:
    """The session-initiate in a <jingle/> element (Jicofo, JingleSession.kt)."""
    bridge = child(jingle, FOCUS, "bridge-session")
    contents = []
    for content in jingle.findall(f"{{{JINGLE}}}content"):
        name = content.get("name", "")
        description = child(content, RTP, "description")
        contents.append((name, description.get("media", name) if description is not None else name))
    return Offer(
        sid=jingle.get("sid", ""),
        initiator=jingle.get("initiator", ""),
        bridge_session=bridge.get("id", "") if bridge is not None else "",
        region=bridge.get("region", "") if bridge is not None else "",
        contents=tuple(contents),
    )


def parse_reason(jingle: Element) -> tuple[str, str]:
    """Reason and text of a session-terminate."""
    reason, words = "", ""
    for item in jingle.iterfind(f"{{{JINGLE}}}reason/*"):
        if local(item.tag) == "text":
            words = item.text or ""
        else:
            reason = local(item.tag)
    return reason, words


def render_accept(offer: Offer, *, jid: str, nick: str, audio_sources: int) -> str:
    """A session-accept with `audio_sources` sources of its own (visitors must have none)."""
    transport = element(
        "transport",
        {"ufrag": secrets.token_hex(4), "pwd": secrets.token_hex(11)},
        element("rtcp-mux"),
        element("fingerprint", {"hash": "sha-256", "setup": "active"}, FINGERPRINT, ns=DTLS),
        ns=ICE_UDP,
    )
    contents = [
        element(
            "content",
            {"creator": "initiator", "name": name, "senders": "both"},
            _description(media, nick, audio_sources if media == "audio" else 0),
            transport,
        )
        for name, media in offer.contents
        if media in ("audio", "video")
    ]
    names = [
        element("content", {"name": name})
        for name, media in offer.contents
        if media in ("audio", "video")
    ]
    group = element("group", {"semantics": "BUNDLE"}, *names, ns=GROUPING)
    attributes = {
        "action": "session-accept",
        "initiator": offer.initiator,
        "responder": jid,
        "sid": offer.sid,
    }
    return element("jingle", attributes, *contents, group, ns=JINGLE)


def _description(media: str, nick: str, sources: int) -> str:
    if media == "audio":
        codec = {"id": "111", "name": "opus", "clockrate": "48000", "channels": "2"}
    else:
        codec = {"id": "100", "name": "VP8", "clockrate": "90000"}
    own = [_source(f"{nick}-a{index}") for index in range(sources)]
    children = (element("payload-type", codec), element("rtcp-mux"), *own)
    return element("description", {"media": media}, *children, ns=RTP)


def _source(name: str) -> str:
    ssrc = str(1 + secrets.randbelow(2**32 - 2))
    msid = element("parameter", {"name": "msid", "value": f"{name} {name}-track"})
    return element("source", {"ssrc": ssrc, "name": name}, msid, ns=SSMA)
