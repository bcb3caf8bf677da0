"""A small XMPP server over WebSocket and TLS on loopback, which can misbehave on demand.

It knows as much of Prosody and Jicofo as one participant meets: login, conference request,
room, disco#info, session-initiate.  `script` names what to do instead at a stage.
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from labctl.crowd import Target

DOMAIN = "meet.lab.internal"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
FEATURES = (
    "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"
    "<sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)
GARBAGE = "<presence from='half"


def write_certificates(folder: Path, *, domain: str = DOMAIN) -> tuple[Path, Path]:
    """A CA (`ca.crt`) and a certificate with key (`server.pem`) for `domain`."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA in {folder.name}")])
    now = datetime.datetime.now(datetime.UTC)

    def sign(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        )
        signed = builder.sign(authority, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    folder.mkdir(exist_ok=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    key = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    ca_file, pem = folder / "ca.crt", folder / "server.pem"
    ca_file.write_bytes(sign(issuer, authority, ca=True))
    pem.write_bytes(sign(subject, server, ca=False) + key)
    return ca_file, pem


@dataclass
class FakeXmpp:
    """What the server does, and what it saw."""

    script: Mapping[str, str] = field(default_factory=dict)
    vnode: str | None = None
    not_ready: int = 0
    invite: bool = True
    seen: list[str] = field(default_factory=list)
    """Stages in order, with the query of each WebSocket."""
    stanzas: list[ElementTree.Element] = field(default_factory=list)
    rooms: dict[str, dict[str, ServerConnection]] = field(default_factory=dict)
    handled: int = 0
    """Stanzas since stream management began; one session at a time."""

    async def handle(self, ws: ServerConnection) -> None:
        query = parse_qs(urlsplit(ws.request.path if ws.request else "").query)
        self.seen.append("connect " + " ".join(f"{k}={v[0]}" for k, v in sorted(query.items())))
        try:
            async for frame in ws:
                stanza = ElementTree.fromstring(frame)
                self.stanzas.append(stanza)
                await self.answer(ws, stanza)
        except ConnectionClosed:
            self.seen.append("cut")

    async def answer(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        stage = self.stage(stanza)
        self.seen.append(stage)
        self.handled += stanza.tag.startswith("{jabber:client}")
        if stage in self.script:
            await self.misbehave(ws, stanza, self.script[stage])
        else:
            await getattr(self, f"on_{stage}")(ws, stanza)

    @staticmethod
    def stage(stanza: ElementTree.Element) -> str:
        """The name of what came: its element, or its payload for an IQ."""
        name = stanza.tag.rpartition("}")[2]
        if name != "iq":
            return name
        payload = stanza[0].tag.rpartition("}")[2] if len(stanza) else ""
        return "reply" if stanza.get("type") in ("result", "error") else payload

    async def misbehave(
        self, ws: ServerConnection, stanza: ElementTree.Element, action: str
    ) -> None:
        verb, _, words = action.partition(":")
        if verb == "send":
            await ws.send(words)
        elif verb == "binary":
            await ws.send(b"\0\1")
        elif verb == "error":
            error = (
                f"<error type='auth'><{words} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
            )
            await self.reply(ws, stanza, error, kind="error")
        elif verb == "half":
            ws.protocol.send_text(b"<presence from='r@", fin=False)
            ws.transport.write(b"".join(ws.protocol.data_to_send()))
            ws.transport.close()
        elif verb == "cut":
            ws.transport.abort()
        else:
            assert verb == "silent"

    async def reply(
        self, ws: ServerConnection, stanza: ElementTree.Element, payload: str, kind: str = "result"
    ) -> None:
        name = stanza.get("id")
        await ws.send(f"<iq xmlns='jabber:client' type='{kind}' id='{name}'>{payload}</iq>")

    async def on_open(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await ws.send(f"<open xmlns='{FRAMING}' from='{stanza.get('to')}' version='1.0'/>")
        await ws.send(FEATURES)

    async def on_auth(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await ws.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")

    async def on_bind(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        jid = f"user{id(ws)}@{DOMAIN}/r"
        bind = "urn:ietf:params:xml:ns:xmpp-bind"
        await self.reply(ws, stanza, f"<bind xmlns='{bind}'><jid>{jid}</jid></bind>")

    async def on_enable(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        self.handled = 0
        await ws.send("<enabled xmlns='urn:xmpp:sm:3' resume='true' id='x'/>")

    async def on_r(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await ws.send(f"<a xmlns='urn:xmpp:sm:3' h='{self.handled}'/>")

    async def on_resume(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        for people in self.rooms.values():
            for nick in people:
                people[nick] = ws
        await ws.send(f"<resumed xmlns='urn:xmpp:sm:3' previd='x' h='{self.handled}'/>")

    async def on_conference(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        ready = self.not_ready <= 0
        self.not_ready -= 1
        vnode = f" vnode='{self.vnode}'" if self.vnode and ready else ""
        focus = "http://jitsi.org/protocol/focus"
        await self.reply(
            ws, stanza, f"<conference xmlns='{focus}' ready='{str(ready).lower()}'{vnode}/>"
        )

    async def on_presence(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        room, _, nick = stanza.get("to", "").partition("/")
        people = self.rooms.setdefault(room, {})
        if stanza.get("type") == "unavailable":
            people.pop(nick, None)
            return
        for other in [*people, "focus"]:
            await ws.send(self.presence(room, other))
        people[nick] = ws
        await ws.send(self.presence(room, nick, own=True))
        if self.invite:
            await self.send_invitation(ws, room)

    def presence(self, room: str, nick: str, *, own: bool = False, kind: str = "") -> str:
        status = "<status code='110'/>" if own else ""
        role = "visitor" if self.vnode and nick != "focus" else "participant"
        return (
            f"<presence xmlns='jabber:client' from='{room}/{nick}'{kind}>"
            "<x xmlns='http://jabber.org/protocol/muc#user'>"
            f"<item role='{role}' affiliation='none'/>{status}</x></presence>"
        )

    async def send_invitation(self, ws: ServerConnection, room: str, *, sid: str = "s1") -> None:
        await ws.send(
            f"<iq xmlns='jabber:client' type='get' id='d1' from='{room}/focus'>"
            "<query xmlns='http://jabber.org/protocol/disco#info' node='n#v'/></iq>"
        )
        await ws.send(
            f"<iq xmlns='jabber:client' type='set' id='j1' from='{room}/focus'>"
            f"<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{sid}' "
            "initiator='focus@auth/focus'><content name='audio' creator='initiator'>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></content>"
            "<bridge-session xmlns='http://jitsi.org/protocol/focus' id='b1' region='lab'/>"
            "</jingle></iq>"
        )

    async def on_jingle(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await self.reply(ws, stanza, "")

    async def on_ping(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await self.reply(ws, stanza, "")

    async def on_message(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        room = stanza.get("to", "")
        body = stanza.findtext("{jabber:client}body")
        nick = next(nick for nick, there in self.rooms[room].items() if there is ws)
        for there in self.rooms[room].values():
            await there.send(
                f"<message xmlns='jabber:client' type='groupchat' from='{room}/{nick}'>"
                f"<body>{body}</body></message>"
            )

    async def on_reply(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        """An answer to our own requests: kept in `stanzas`."""

    on_close = on_a = on_reply


@asynccontextmanager
async def running(server: FakeXmpp, folder: Path) -> AsyncIterator[Target]:
    """The server on a free port of loopback, and the target that leads to it."""
    ca_file, pem = write_certificates(folder / "good")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    async with serve(
        server.handle, "127.0.0.1", 0, ssl=context, subprotocols=["xmpp"], ping_interval=None
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield Target(IPv4Address("127.0.0.1"), port, DOMAIN, ca_file, prove=lambda _: None)
        await asyncio.sleep(0)  # let the connections' last callbacks run
