"""The Jingle session-initiate that invites a participant (docs/facts/signalling.md, 9); pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sources import SourceSet, render_json_sources, render_xml_sources
from stanzas import (
    DTLS_SCTP,
    FOCUS,
    GROUPING,
    JINGLE,
    JITMEET,
    RTCP_FB,
    RTP,
    RTP_HDREXT,
    Element,
    el,
)  # fmt: skip

FEATURE_NAMES = {
    "urn:xmpp:jingle:apps:rtp:audio": "AUDIO",
    "urn:xmpp:jingle:apps:rtp:video": "VIDEO",
    "urn:xmpp:jingle:transports:dtls-sctp:1": "SCTP",
    "urn:ietf:rfc:4588": "RTX",
    "http://jitsi.org/remb": "REMB",
    "http://jitsi.org/tcc": "TCC",
    "http://jitsi.org/ssrc-rewriting-1": "SSRC_REWRITING_V1",
    "http://jitsi.org/rtp-mid-demux": "RTP_MID_DEMUX",
    "http://jitsi.org/json-encoded-sources": "JSON_SOURCES",
    "http://jitsi.org/opus-red": "OPUS_RED",
    "http://jitsi.org/protocol/audio-mute": "AUDIO_MUTE",
    "http://jitsi.org/start-muted-room-metadata": "START_MUTED_RMD",
    "http://jitsi.org/visitors-1": "VISITORS",
    "http://jitsi.org/source-name": "SOURCE_NAMES",
    "http://jitsi.org/receive-multiple-video-streams": "RECEIVE_MULTIPLE_STREAMS",
}
DEFAULT_FEATURES = frozenset({"AUDIO", "VIDEO", "SCTP"})
TCC_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
VIDEO_CODECS = (("AV1", 41, 42), ("VP8", 100, 96), ("H264", 107, 99), ("VP9", 101, 97))


@dataclass(frozen=True, slots=True)
class Offer:
    """What goes into an invitation."""

    sid: str
    initiator: str
    features: frozenset[str]
    transport: Element
    bridge_session: str
    region: str | None
    sctp: bool
    sources: Mapping[str, SourceSet] = field(default_factory=dict)
    start_audio_muted: bool = False
    start_video_muted: bool = False


def _payload(number: int, name: str, clock: int, channels: int = 1) -> Element:
    attrs = {"id": str(number), "name": name, "clockrate": str(clock)}
    if channels > 1:
        attrs["channels"] = str(channels)
    return el(RTP, "payload-type", attrs)


def _parameters(payload: Element, **values: str) -> Element:
    for name, value in values.items():
        payload.append(el(RTP, "parameter", {"name": name.replace("_", "-"), "value": value}))
    return payload


def _feedback(payload: Element, *kinds: tuple[str, str]) -> Element:
    for kind, subtype in kinds:
        attrs = {"type": kind, "subtype": subtype} if subtype else {"type": kind}
        payload.append(el(RTCP_FB, "rtcp-fb", attrs))
    return payload


def _extension(number: int, uri: str) -> Element:
    return el(RTP_HDREXT, "rtp-hdrext", {"id": str(number), "uri": uri})


def audio_media(features: frozenset[str]) -> Iterator[Element]:
    """Payload types and header extensions of audio."""
    opus = _parameters(_payload(111, "opus", 48000, 2), minptime="10", useinbandfec="1")
    if "TCC" in features:
        _feedback(opus, ("transport-cc", ""))
    yield opus  # RED, which upstream knows, is off by its defaults
    yield _payload(126, "telephone-event", 8000)
    yield _extension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")
    yield _extension(10, MID_URI)
    if "TCC" in features:
        yield _extension(5, TCC_URI)
    yield el(RTP_HDREXT, "extmap-allow-mixed")


def _repairs() -> Iterator[Element]:
    for name, number, rtx in VIDEO_CODECS:
        repair = _parameters(_payload(rtx, "rtx", 90000), apt=str(number))
        if name != "H264":
            _feedback(repair, ("ccm", "fir"), ("nack", ""), ("nack", "pli"))
        yield repair


def video_media(features: frozenset[str]) -> Iterator[Element]:
    """Payload types and header extensions of video."""
    for name, number, _ in VIDEO_CODECS:
        codec = _feedback(
            _payload(number, name, 90000), ("ccm", "fir"), ("nack", ""), ("nack", "pli")
        )
        if "REMB" in features:
            _feedback(codec, ("goog-remb", ""))
        if "TCC" in features:
            _feedback(codec, ("transport-cc", ""))
        if name == "H264":
            _parameters(
                codec, profile_level_id="42e01f;level-asymmetry-allowed=1;packetization-mode=1;"
            )
        yield codec
    if "RTX" in features:
        yield from _repairs()
    yield _extension(
        11,
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    )
    yield _extension(10, MID_URI)
    yield _extension(3, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
    if "TCC" in features:
        yield _extension(5, TCC_URI)
    yield el(RTP_HDREXT, "extmap-allow-mixed")


def _content(name: str, description: Element, transport: Element) -> Element:
    attrs = {"creator": "initiator", "name": name, "senders": "both"}
    return el(JINGLE, "content", attrs, description, transport)


def _rtp_content(name: str, offer: Offer) -> Element:
    attrs = {"media": name, "maxptime": "60"} if name == "audio" else {"media": name}
    description = el(RTP, "description", attrs)
    description.extend(
        audio_media(offer.features) if name == "audio" else video_media(offer.features)
    )
    description.append(el(RTP, "rtcp-mux"))
    if "JSON_SOURCES" not in offer.features:
        description.extend(render_xml_sources(offer.sources, name))
    return _content(name, description, offer.transport)


def _data_content(offer: Offer) -> Element:
    transport = copy.copy(offer.transport)
    sctpmap = {"number": "5000", "protocol": "webrtc-datachannel", "streams": "1024"}
    transport.append(el(DTLS_SCTP, "sctpmap", sctpmap))
    return _content("data", el(RTP, "description", {"media": "application"}), transport)


def render_offer(offer: Offer) -> Element:
    """The `jingle` element of a session-initiate."""
    contents: list[Element] = []
    if "AUDIO" in offer.features:
        contents.append(_rtp_content("audio", offer))
    if "VIDEO" in offer.features:
        contents.append(_rtp_content("video", offer))
    if offer.sctp:
        contents.append(_data_content(offer))
    jingle = el(
        JINGLE, "jingle",
        {"action": "session-initiate", "initiator": offer.initiator, "sid": offer.sid}, *contents,
    )  # fmt: skip
    group = el(GROUPING, "group", {"semantics": "BUNDLE"})
    group.extend(el(GROUPING, "content", {"name": one.get("name", "")}) for one in contents)
    jingle.append(group)
    session = {"id": offer.bridge_session}
    if offer.region:
        session["region"] = offer.region
    jingle.append(el(FOCUS, "bridge-session", session))
    if offer.start_audio_muted or offer.start_video_muted:
        jingle.append(_start_muted(offer))
    if "JSON_SOURCES" in offer.features and offer.sources:
        jingle.append(render_json_sources(offer.sources))
    return jingle


def _start_muted(offer: Offer) -> Element:
    words = {True: "true", False: "false"}
    attrs = {"audio": words[offer.start_audio_muted], "video": words[offer.start_video_muted]}
    return el(JITMEET.replace("jitmeet", "jitmeet/start-muted"), "startmuted", attrs)


def parse_features(variables: set[str]) -> frozenset[str]:
    """Upstream's names of the features it knows."""
    return frozenset(FEATURE_NAMES[var] for var in variables if var in FEATURE_NAMES)
