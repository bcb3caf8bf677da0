"""What a participant says it can do: disco#info and entity capabilities (XEP-0115)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1

from labctl.crowd.xml import CAPS, DISCO_INFO, element

NODE = "urn:labctl:crowd"
IDENTITY = ("client", "web", "", "labctl crowd")

FEATURES = tuple(
    sorted(
        (
            CAPS,
            DISCO_INFO,
            "urn:xmpp:jingle:1",
            "urn:xmpp:jingle:apps:rtp:1",
            "urn:xmpp:jingle:transports:ice-udp:1",
            "urn:xmpp:jingle:apps:dtls:0",
            "urn:xmpp:jingle:apps:rtp:audio",
            "urn:xmpp:jingle:apps:rtp:video",
            "urn:xmpp:ping",
            "http://jitsi.org/json-encoded-sources",
            "http://jitsi.org/source-name",
            "http://jitsi.org/receive-multiple-video-streams",
            "http://jitsi.org/ssrc-rewriting-1",
            "http://jitsi.org/visitors-1",
        )
    )
)
"""Seen to make the real Jicofo invite at once; without an answer it waits 15 s."""


def verification(identities: Iterable[tuple[str, str, str, str]], features: Iterable[str]) -> str:
    """The `ver` of XEP-0115, 5.1: base64 of SHA-1 over sorted identities and features."""
    parts = ["/".join(identity) for identity in sorted(identities)] + sorted(features)
    digest = sha1("".join(f"{part}<" for part in parts).encode(), usedforsecurity=False)
    return b64encode(digest.digest()).decode()


@dataclass(frozen=True, slots=True)
class Caps:
    """What one kind of participant can do."""

    features: tuple[str, ...]
    ver: str
    element: str
    """The <c/> of its presence."""

    @classmethod
    def of(cls, features: Iterable[str]) -> Caps:
        ordered = tuple(sorted(features))
        ver = verification([IDENTITY], ordered)
        return cls(ordered, ver, element("c", {"hash": "sha-1", "node": NODE, "ver": ver}, ns=CAPS))

    def render_disco_info(self, node: str | None) -> str:
        """The answer to disco#info; `node` is echoed as it was asked."""
        category, kind, _, name = IDENTITY
        children = (
            element("identity", {"category": category, "type": kind, "name": name}),
            *(element("feature", {"var": feature}) for feature in self.features),
        )
        return element("query", {"node": node}, *children, ns=DISCO_INFO)


PLAIN = Caps.of(FEATURES)
"""Without media."""
WITH_MEDIA = Caps.of(
    {
        *FEATURES,
        "http://jitsi.org/tcc",
        "urn:ietf:rfc:5888",  # BUNDLE
        "urn:ietf:rfc:5761",  # RTCP on the same port
    }
    - {"http://jitsi.org/ssrc-rewriting-1"}
)
"""With media.  Not SSRC rewriting: then Jicofo announces nobody's sources, and who sends what is
told on the bridge channel only, which may be what is broken."""
WITH_DATA_CHANNEL = Caps.of((*WITH_MEDIA.features, "urn:xmpp:jingle:transports:dtls-sctp:1"))
"""The same for a participant that takes a data channel: Jicofo then offers one."""
VER = PLAIN.ver
