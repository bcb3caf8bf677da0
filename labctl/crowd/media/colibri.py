"""Colibri2, the language in which a bridge is asked for a conference, as far as two people need it.

Pure: what is asked as text, what is answered as values.  Jicofo speaks it to bridges; here it
serves to place a conference on a bridge of one's own choice.  The answer becomes the
session-initiate that Jicofo would make of it, so a participant's media does the same as ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from xml.etree import ElementTree

from labctl.crowd.media.accept import FEEDBACK
from labctl.crowd.media.offer import HDREXT, SCTP
from labctl.crowd.media.problem import MediaProblem, MediaStage
from labctl.crowd.media.rtp import ABS_SEND_TIME, AUDIO_LEVEL, TRANSPORT_CC
from labctl.crowd.media.sources import Source
from labctl.crowd.xml import (
    FOCUS,
    ICE_UDP,
    JINGLE,
    RTP,
    SSMA,
    Element,
    child,
    element,
    error_of,
    parse_stanza,
)

COLIBRI2 = "jitsi:colibri2"
REGION = "placed"

_CODECS = {
    "audio": {"id": "111", "name": "opus", "clockrate": "48000", "channels": "2"},
    "video": {"id": "100", "name": "VP8", "clockrate": "90000"},
}
_FEEDBACK: dict[str, list[tuple[str, str | None]]] = {
    "audio": [("transport-cc", None)],
    "video": [("ccm", "fir"), ("nack", None), ("nack", "pli"), ("transport-cc", None)],
}
_EXTENSIONS = {
    "audio": {"1": AUDIO_LEVEL, "5": TRANSPORT_CC},
    "video": {"3": ABS_SEND_TIME, "5": TRANSPORT_CC},
}
"""Jicofo's numbers for what participants of this crowd have."""


def new_meeting() -> str:
    """An id for a conference that no other has."""
    return f"labctl-{secrets.token_hex(8)}"


def render_create(
    meeting: str, endpoint: str, *, media: Iterable[str], sctp: bool, first: bool
) -> str:
    """Ask for an endpoint; the first one brings the conference with it."""
    parts = [element("capability", {"name": "source-names"})]
    parts += [element("media", {"type": name}, *_description(name)) for name in media]
    channel = [element("sctp")] if sctp else []
    parts.append(element("transport", {"ice-controlling": "true"}, *channel))
    parts.append(element("sources"))
    wanted = element("endpoint", {"id": endpoint, "create": "true"}, *parts)
    new = {"name": f"{meeting}@labctl.invalid", "create": "true"} if first else {}
    return _modify(meeting, wanted, **new)


def render_update(meeting: str, endpoint: str, accept: Element, sources: Iterable[Source]) -> str:
    """Tell the bridge what the participant accepted: its transport and its sources."""
    transport = next(accept.iter(f"{{{ICE_UDP}}}transport"))
    own = [
        element(
            "media-source",
            {"type": one.media, "id": one.name},
            element("source", {"ssrc": str(one.ssrc), "name": one.name}, ns=SSMA),
        )
        for one in sources
    ]
    ice = element("transport", None, ElementTree.tostring(transport, encoding="unicode"))
    changed = element("endpoint", {"id": endpoint}, ice, element("sources", None, *own))
    return _modify(meeting, changed)


def render_expire(meeting: str) -> str:
    """Let the bridge forget the conference."""
    return _modify(meeting, expire="true")


def _modify(meeting: str, *children: str, **attributes: str) -> str:
    return element(
        "conference-modify", {"meeting-id": meeting, **attributes}, *children, ns=COLIBRI2
    )


def _description(media: str) -> list[str]:
    feedback = (
        element("rtcp-fb", {"type": kind, "subtype": detail}, ns=FEEDBACK)
        for kind, detail in _FEEDBACK[media]
    )
    extensions = (
        element("rtp-hdrext", {"id": number, "uri": uri}, ns=HDREXT)
        for number, uri in _EXTENSIONS[media].items()
    )
    return [element("payload-type", _CODECS[media], *feedback, ns=RTP), *extensions]


def parse_created(answer: Element, endpoint: str) -> Element:
    """The colibri2 transport that a bridge gave; MediaProblem where it refused."""
    if answer.get("type") == "error":
        condition, words = error_of(answer)
        said = f"'{condition}'" + (f" ({words})" if words else "")
        raise MediaProblem(
            MediaStage.OFFER, detail=f"it was asked for a conference and said {said}"
        )
    for item in answer.iter(f"{{{COLIBRI2}}}endpoint"):
        transport = child(item, COLIBRI2, "transport")
        if item.get("id") != endpoint or transport is None:
            continue
        if child(transport, ICE_UDP, "transport") is not None:
            return transport
    raise MediaProblem(
        MediaStage.OFFER, detail="it was asked for a conference and gave no transport"
    )


def render_offer(transport: Element, *, bridge: str, media: Iterable[str]) -> str:
    """The session-initiate that Jicofo would make of a bridge's transport."""
    ice = child(transport, ICE_UDP, "transport")
    assert ice is not None
    attributes = {"creator": "initiator", "senders": "both"}
    contents = [
        element(
            "content",
            {**attributes, "name": name},
            element("description", {"media": name}, *_description(name), ns=RTP),
            ElementTree.tostring(ice, encoding="unicode"),
        )
        for name in media
    ]
    sctp = child(transport, COLIBRI2, "sctp")
    if sctp is not None:
        contents.append(_data(ice, sctp.get("port") or "5000", attributes))
    session = element("bridge-session", {"id": bridge, "region": REGION}, ns=FOCUS)
    about = {"action": "session-initiate", "initiator": bridge, "sid": secrets.token_hex(4)}
    return element("jingle", about, *contents, session, ns=JINGLE)


def _data(ice: Element, port: str, attributes: dict[str, str]) -> str:
    """The content of a data channel (XEP-0343)."""
    wide = parse_stanza(ElementTree.tostring(ice, encoding="unicode"))
    about = {"number": port, "protocol": "webrtc-datachannel", "streams": "1024"}
    wide.append(parse_stanza(element("sctpmap", about, ns=SCTP)))
    description = element("description", {"media": "application"}, ns=RTP)
    words = ElementTree.tostring(wide, encoding="unicode")
    return element("content", {**attributes, "name": "data"}, description, words)


def render_source_add(sources: Iterable[Source]) -> str:
    """The Jingle by which somebody is told of another's sources."""
    contents = (
        element(
            "content",
            {"name": one.media},
            element(
                "description",
                {"media": one.media},
                element("source", {"ssrc": str(one.ssrc), "name": one.name}, ns=SSMA),
                ns=RTP,
            ),
        )
        for one in sources
    )
    return element("jingle", {"action": "source-add"}, *contents, ns=JINGLE)
