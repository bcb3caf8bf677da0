"""The session-accept of a participant with media, and what it offers of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.crowd.jingle import Offer
from labctl.crowd.media.clips import CODECS
from labctl.crowd.media.offer import HDREXT, SCTP, Codec, Description, MediaOffer
from labctl.crowd.media.rtp import ABS_SEND_TIME, AUDIO_LEVEL, TRANSPORT_CC
from labctl.crowd.media.session import Local
from labctl.crowd.media.sources import Source
from labctl.crowd.xml import DTLS, FOCUS, GROUPING, ICE_UDP, JINGLE, RTP, SSMA, element

EXTENSIONS = (AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_CC)
"""Header extensions that are agreed to where they are offered."""
FEEDBACK = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What comes of an offer for one content."""

    description: Description
    codec: Codec

    @property
    def extensions(self) -> dict[str, int]:
        offered = self.description.extensions
        return {uri: offered[uri] for uri in EXTENSIONS if uri in offered}


def agree(offer: MediaOffer, media: Iterable[str]) -> dict[str, Agreed]:
    """By media: the first codec that the bridge offers and that there is a recording of."""
    agreed = {}
    for name in media:
        description = offer.of(name)
        if description is None:
            continue
        found = (codec for codec in description.codecs if codec.name in CODECS[name])
        codec = next(found, None)
        if codec is not None:
            agreed[name] = Agreed(description, codec)
    return agreed


def source_names(nick: str, media: Iterable[str]) -> dict[str, str]:
    """Names of a participant's own sources by media, as Jitsi's clients give them."""
    return {name: f"{nick}-{name[0]}0" for name in media}


def make_sources(nick: str, media: Iterable[str]) -> dict[str, Source]:
    """Own sources with fresh SSRCs, by media."""
    return {
        name: Source(1 + secrets.randbelow(2**32 - 2), source, nick, name)
        for name, source in source_names(nick, media).items()
    }


def render_accept(
    offer: Offer,
    media: MediaOffer,
    local: Local,
    *,
    jid: str,
    agreed: dict[str, Agreed],
    sources: dict[str, Source],
) -> str:
    """Every content that was offered with RTP is accepted; those without a codec are empty."""
    transport = render_transport(local)
    contents = [
        _content(one, agreed.get(one.media), sources.get(one.media), transport)
        for one in media.contents
    ]
    names = [one.name for one in media.contents]
    if media.data is not None:
        contents.append(_data(media, local))
        names.append(media.data)
    bundle = (element("content", {"name": name}) for name in names)
    attributes = {
        "action": "session-accept",
        "initiator": offer.initiator,
        "responder": jid,
        "sid": offer.sid,
    }
    group = element("group", {"semantics": "BUNDLE"}, *bundle, ns=GROUPING)
    return element("jingle", attributes, *contents, group, ns=JINGLE)


def render_restart(offer: Offer) -> str:
    """The session-terminate by which upstream's client asks for a new session."""
    reason = element("reason", None, element("connectivity-error"))
    bridge = element("bridge-session", {"id": offer.bridge_session, "restart": "true"}, ns=FOCUS)
    attributes = {"action": "session-terminate", "sid": offer.sid}
    return element("jingle", attributes, reason, bridge, ns=JINGLE)


def render_transport(local: Local, *extra: str) -> str:
    """This side's transport (XEP-0176, XEP-0320)."""
    wanted = local.fingerprint
    fingerprint = {"hash": wanted.hash, "setup": local.setup}
    return element(
        "transport",
        {"ufrag": local.ufrag, "pwd": local.pwd},
        element("rtcp-mux"),
        element("fingerprint", fingerprint, wanted.value, ns=DTLS),
        *extra,
        ns=ICE_UDP,
    )


def _content(one: Description, agreed: Agreed | None, source: Source | None, transport: str) -> str:
    children = [element("rtcp-mux")]
    if agreed is not None:
        children = [_codec(agreed.codec, one.media), *children, *_extensions(agreed)]
        if source is not None:
            children.append(_source(source))
    description = element("description", {"media": one.media}, *children, ns=RTP)
    attributes = {"creator": "initiator", "name": one.name, "senders": "both"}
    return element("content", attributes, description, transport)


def _codec(codec: Codec, media: str) -> str:
    channels = str(codec.channels) if codec.channels > 1 else None
    kinds: list[tuple[str, str | None]] = [("transport-cc", None)]
    if media == "video":
        kinds += [("ccm", "fir"), ("nack", None), ("nack", "pli")]
    feedback = (
        element("rtcp-fb", {"type": kind, "subtype": detail}, ns=FEEDBACK) for kind, detail in kinds
    )
    attributes = {
        "id": str(codec.id),
        "name": "opus" if codec.name == "opus" else codec.name.upper(),
        "clockrate": str(codec.clock),
        "channels": channels,
    }
    return element("payload-type", attributes, *feedback)


def _extensions(agreed: Agreed) -> list[str]:
    return [
        element("rtp-hdrext", {"id": str(number), "uri": uri}, ns=HDREXT)
        for uri, number in agreed.extensions.items()
    ]


def _source(source: Source) -> str:
    stream = f"{source.owner}-{source.media}-0"
    parameters = {"msid": f"{stream} {source.name}", "cname": source.owner}
    return element(
        "source",
        {"ssrc": str(source.ssrc), "name": source.name},
        *(element("parameter", {"name": key, "value": value}) for key, value in parameters.items()),
        ns=SSMA,
    )


def _data(media: MediaOffer, local: Local) -> str:
    """The content of the data channel (XEP-0343)."""
    port = str(media.transport.sctp_port or 5000)
    attributes = {"number": port, "protocol": "webrtc-datachannel", "streams": "1024"}
    transport = render_transport(local, element("sctpmap", attributes, ns=SCTP))
    description = element("description", {"media": "application"}, ns=RTP)
    name = {"creator": "initiator", "name": media.data, "senders": "both"}
    return element("content", name, description, transport)
