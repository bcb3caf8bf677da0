"""What colibri2 says about an endpoint's media: transport, codecs, extensions, sources; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dtls import Peer
from ice import Remote, parse_address
from rtp import ABS_SEND_TIME_URI, AUDIO_LEVEL_URI, DEPENDENCY_URI, TRANSPORT_CC_URI
from stanzas import (
    COLIBRI2,
    DTLS,
    ICE,
    RTCP_FB,
    RTP,
    RTP_HDREXT,
    SSMA,
    Element,
    el,
    find,
    find_all,
)  # fmt: skip

# The last two are counted anew on the way out.
PASSED_ON = (AUDIO_LEVEL_URI, DEPENDENCY_URI, ABS_SEND_TIME_URI, TRANSPORT_CC_URI)


@dataclass(frozen=True, slots=True)
class MediaSource:
    """One source: the SSRC of each of its layers, lowest first, and what repeats them (RTX)."""

    name: str
    owner: str
    media: str
    layers: tuple[int, ...]
    rtx: dict[int, int] = field(default_factory=dict)  # of RTX to what it repeats
    video_type: str = "camera"

    @property
    def primary(self) -> int:
        """The SSRC that receivers know it by."""
        return self.layers[0]

    @property
    def primary_rtx(self) -> int:
        """The RTX of the primary SSRC, -1 where there is none."""
        return next((one for one, of in self.rtx.items() if of == self.primary), -1)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What an endpoint was offered, and so may use."""

    codecs: dict[int, str] = field(default_factory=dict)  # lower-case name by payload type
    rtx: dict[int, int] = field(default_factory=dict)  # payload type of RTX to what it repeats
    audio_level: int | None = None
    send_time: int | None = None
    transport_cc: int | None = None
    remb: bool = False
    # Extensions that mean the same to the receivers; the others are the sender's own affair, and a
    # MID would even lead a browser to the wrong media section.
    passed_on: frozenset[int] = frozenset()


def parse_media(endpoint: Element) -> Negotiated:
    """The payload types and header extensions of an `endpoint`'s `media` elements."""
    codecs: dict[int, str] = {}
    rtx: dict[int, int] = {}
    uris: dict[str, int] = {}
    feedback: set[str] = set()
    for media in find_all(endpoint, COLIBRI2, "media"):
        for payload in find_all(media, RTP, "payload-type"):
            number = int(payload.get("id", "0"))
            codecs[number] = payload.get("name", "").lower()
            for parameter in find_all(payload, RTP, "parameter"):
                if parameter.get("name") == "apt":
                    rtx[number] = int(parameter.get("value", "0"))
            feedback |= {item.get("type", "") for item in find_all(payload, RTCP_FB, "rtcp-fb")}
        for item in find_all(media, RTP_HDREXT, "rtp-hdrext"):
            uris[item.get("uri", "")] = int(item.get("id", "0"))
    return Negotiated(
        codecs, rtx, uris.get(AUDIO_LEVEL_URI), uris.get(ABS_SEND_TIME_URI),
        uris.get(TRANSPORT_CC_URI) if "transport-cc" in feedback else None,
        "goog-remb" in feedback and "transport-cc" not in feedback,
        frozenset(id for uri, id in uris.items() if uri in PASSED_ON),
    )  # fmt: skip


def _groups(element: Element, semantics: str) -> list[tuple[int, ...]]:
    return [
        tuple(int(one.get("ssrc", "0")) for one in find_all(group, SSMA, "source"))
        for group in find_all(element, SSMA, "ssrc-group")
        if group.get("semantics", "").upper() == semantics
    ]


def parse_sources(element: Element, owner: str) -> list[MediaSource]:
    """The sources of a `sources` element."""
    found: list[MediaSource] = []
    for item in find_all(element, COLIBRI2, "media-source"):
        ssrcs = [int(one.get("ssrc", "0")) for one in find_all(item, SSMA, "source")]
        rtx = {pair[1]: pair[0] for pair in _groups(item, "FID") if len(pair) == 2}
        simulcast = next(iter(_groups(item, "SIM")), ())
        layers = simulcast or tuple(one for one in ssrcs if one not in rtx)
        if layers:
            source = find(item, SSMA, "source")
            video_type = item.get("video-type") or (
                source.get("videoType") if source is not None else None
            )
            media = item.get("type", "")
            name = item.get("id", "")
            found.append(MediaSource(name, owner, media, layers, rtx, video_type or "camera"))
    return found


def parse_remote(transport: Element) -> tuple[Remote | None, Peer | None]:
    """The peer's ICE credentials and DTLS fingerprints, where an ICE transport has them."""
    ufrag, pwd = transport.get("ufrag"), transport.get("pwd")
    candidates = _candidates(find_all(transport, ICE, "candidate"))
    remote = Remote(ufrag, pwd, candidates) if ufrag and pwd else None
    fingerprints: dict[str, set[str]] = {}
    elements = find_all(transport, DTLS, "fingerprint")
    for element in elements:
        if element.text and element.get("hash"):
            fingerprints.setdefault(element.get("hash", "").lower(), set()).add(
                element.text.strip().upper()
            )
    if not fingerprints:
        return remote, None
    client = elements[0].get("setup", "actpass") != "passive"
    return remote, Peer({name: frozenset(some) for name, some in fingerprints.items()}, client)


def render_candidates(
    addresses: Sequence[str], mapped: Sequence[str], port: int
) -> Iterator[Element]:
    """Our candidates: every address of ours, then those that a NAT maps to the first one."""
    for index, address in enumerate((*addresses, *mapped)):
        is_host = index < len(addresses)
        preference = 126 if is_host else 100
        attrs = {
            "id": f"{index + 1:x}", "component": "1", "foundation": str(index + 1),
            "generation": "0", "ip": address, "network": "0", "port": str(port),
            "priority": str(2**24 * preference + 2**8 * (65535 - index) + 255), "protocol": "udp",
            "type": "host" if is_host else "srflx",
        }  # fmt: skip
        if not is_host and addresses:
            attrs |= {"rel-addr": addresses[0], "rel-port": str(port)}
        yield el(ICE, "candidate", attrs)


def _candidates(elements: Iterable[Element]) -> tuple[tuple[str, int], ...]:
    found = [
        parse_address(item.get("ip", ""), item.get("port", "0"))
        for item in elements
        if item.get("protocol", "udp").lower() == "udp" and item.get("component", "1") == "1"
    ]
    return tuple(address for address in found if address is not None)
