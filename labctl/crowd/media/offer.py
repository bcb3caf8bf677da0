"""What a session-initiate says about media: transport, codecs, header extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from labctl.crowd.xml import DTLS, ICE_UDP, JINGLE, RTP, Element, child

HDREXT = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
COLIBRI = "http://jitsi.org/protocol/colibri"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address at which the bridge says it can be reached (XEP-0176)."""

    address: str
    port: int
    protocol: str
    kind: str
    priority: int = 0

    @property
    def version(self) -> int | None:
        """4 or 6; None for a name."""
        try:
            return ip_address(self.address).version
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate: hash function and upper-case hex with colons (RFC 8122)."""

    hash: str
    value: str


@dataclass(frozen=True, slots=True)
class Codec:
    """A payload type; `name` in lower case."""

    id: int
    name: str
    clock: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Description:
    """One content with RTP."""

    name: str
    media: str
    codecs: tuple[Codec, ...]
    extensions: Mapping[str, int]
    """By URI."""

    def codec(self, name: str) -> Codec | None:
        return next((codec for codec in self.codecs if codec.name == name), None)


@dataclass(frozen=True, slots=True)
class Transport:
    """How the bridge can be reached, the same in every content."""

    ufrag: str
    pwd: str
    setup: str
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...]
    web_sockets: tuple[str, ...]
    sctp_port: int | None
    """None where no data channel is offered."""


@dataclass(frozen=True, slots=True)
class MediaOffer:
    """The media part of a session-initiate."""

    transport: Transport
    contents: tuple[Description, ...]
    data: str | None
    """Name of the content of the data channel."""

    def of(self, media: str) -> Description | None:
        return next((content for content in self.contents if content.media == media), None)


def parse_media(jingle: Element) -> MediaOffer:
    """The media part of a <jingle/>."""
    contents, data = [], None
    for content in jingle.findall(f"{{{JINGLE}}}content"):
        description = child(content, RTP, "description")
        media = description.get("media") if description is not None else None
        if description is not None and media in ("audio", "video"):
            contents.append(_description(content.get("name", media), media, description))
        elif content.get("name") == "data" or media == "application":
            data = content.get("name", "data")
    return MediaOffer(parse_transport(jingle), tuple(contents), data)


def parse_transport(jingle: Element) -> Transport:
    """The transports of all contents as one: a bridge bundles them."""
    found = list(jingle.iter(f"{{{ICE_UDP}}}transport"))
    first = next((item for item in found if item.get("ufrag")), None)
    prints = {
        Fingerprint(item.get("hash", "").lower(), (item.text or "").strip().upper()): None
        for transport in found
        for item in transport.iterfind(f"{{{DTLS}}}fingerprint")
    }
    return Transport(
        ufrag=first.get("ufrag", "") if first is not None else "",
        pwd=first.get("pwd", "") if first is not None else "",
        setup=_first(found, f"{{{DTLS}}}fingerprint", "setup") or "actpass",
        fingerprints=tuple(prints),
        candidates=tuple(dict.fromkeys(parse_candidates(jingle))),
        web_sockets=tuple(dict.fromkeys(_urls(found))),
        sctp_port=_sctp_port(found),
    )


def parse_candidates(jingle: Element) -> Iterator[Candidate]:
    """The candidates in a session-initiate or transport-info, those for RTP."""
    for item in jingle.iter(f"{{{ICE_UDP}}}candidate"):
        if item.get("component", "1") != "1":
            continue
        yield Candidate(
            address=item.get("ip", ""),
            port=_number(item.get("port")),
            protocol=item.get("protocol", "udp").lower(),
            kind=item.get("type", "host"),
            priority=_number(item.get("priority")),
        )


def _description(name: str, media: str, description: Element) -> Description:
    codecs = tuple(
        Codec(
            id=_number(item.get("id")),
            name=item.get("name", "").lower(),
            clock=_number(item.get("clockrate")),
            channels=_number(item.get("channels")) or 1,
        )
        for item in description.iterfind(f"{{{RTP}}}payload-type")
    )
    extensions = {
        item.get("uri", ""): _number(item.get("id"))
        for item in description.iterfind(f"{{{HDREXT}}}rtp-hdrext")
    }
    return Description(name, media, codecs, extensions)


def _urls(transports: list[Element]) -> Iterator[str]:
    for transport in transports:
        for item in transport.iterfind(f"{{{COLIBRI}}}web-socket"):
            if item.get("url"):
                yield item.get("url", "")


def _sctp_port(transports: list[Element]) -> int | None:
    for transport in transports:
        item = child(transport, SCTP, "sctpmap")
        if item is not None:
            return _number(item.get("number")) or 5000
    return None


def _first(parents: list[Element], tag: str, attribute: str) -> str | None:
    items = (item for parent in parents for item in parent.iterfind(tag))
    return next((item.get(attribute) for item in items if item.get(attribute)), None)


def _number(word: str | None) -> int:
    return int(word) if word and word.isdigit() else 0
