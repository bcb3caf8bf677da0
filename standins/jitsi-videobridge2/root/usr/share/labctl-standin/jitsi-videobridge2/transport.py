"""One peer's transport: its ICE agent, DTLS over that, SRTP and data over those."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dtls import DtlsEvents, DtlsSession, Identity, Peer
from ice import IceAgent, IceServer, Remote
from jitsilog import Journal
from rtp import is_rtcp
from srtp import Keys, Srtp

RATE_WINDOW = 1.0


@dataclass(slots=True)
class Meter:
    """Packets and bytes of one direction, and what they were in the last whole second."""

    packets: int = 0
    bytes: int = 0
    packet_rate: float = 0.0
    bit_rate: float = 0.0
    _at: float = field(default_factory=time.monotonic)
    _packets: int = 0
    _bytes: int = 0

    def count(self, size: int) -> None:
        """One more packet."""
        self.packets += 1
        self.bytes += size

    def roll(self, now: float) -> None:
        """Take the rates of the time since the last call, at most once a second."""
        spent = now - self._at
        if spent >= RATE_WINDOW:
            self.packet_rate = (self.packets - self._packets) / spent
            self.bit_rate = (self.bytes - self._bytes) * 8 / spent
            self._at, self._packets, self._bytes = now, self.packets, self.bytes


@dataclass(slots=True)
class TransportEvents:
    """What a transport's owner is told."""

    rtp: Callable[[bytes], None] = lambda data: None
    rtcp: Callable[[bytes], None] = lambda data: None
    data: Callable[[bytes], None] = lambda data: None
    ice_connected: Callable[[], None] = lambda: None
    ready: Callable[[], None] = lambda: None
    dtls_failed: Callable[[], None] = lambda: None


class PeerTransport:
    """Packets from and to one endpoint or relay."""

    def __init__(
        self, server: IceServer, identity: Identity, journal: Journal, *, controlling: bool
    ) -> None:
        self.agent = IceAgent(controlling)
        self.events = TransportEvents()
        self.received, self.sent = Meter(), Meter()
        self.journal = journal
        self._server = server
        self._identity = identity
        self._peer: Peer | None = None
        self._srtp: Srtp | None = None
        self.was_ready = False
        self._dtls = DtlsSession(
            identity,
            DtlsEvents(self.agent.send, self._connected, self._failed, self._data, self._closed),
        )
        self.agent.on_connected = self._ice_connected
        self.agent.on_packet = self._packet
        server.add(self.agent)

    @property
    def fingerprint(self) -> str:
        """Of our certificate, by SHA-256."""
        return self._identity.fingerprint

    @property
    def ready(self) -> bool:
        """Whether media can flow."""
        return self._srtp is not None

    @property
    def dtls_failed(self) -> bool:
        """Whether the handshake ended without keys."""
        return self._dtls.failed

    def set_remote(self, remote: Remote | None, peer: Peer | None) -> None:
        """What the peer's Jingle said; more may come later (trickle)."""
        if remote is not None:
            known = self.agent.remote
            if known is not None and (known.ufrag, known.pwd) == (remote.ufrag, remote.pwd):
                more = tuple(one for one in remote.candidates if one not in known.candidates)
                remote = Remote(known.ufrag, known.pwd, known.candidates + more)
            self._server.connect(self.agent, remote)
        if peer is not None and not self._dtls.started:
            self._peer = peer
            self._maybe_start()

    def send_rtp(self, data: bytes) -> None:
        """Protect and send; nothing happens while there are no keys."""
        if self._srtp is not None:
            self._send(self._srtp.protect(data))

    def _send(self, protected: bytes | None) -> None:
        if protected is not None:
            self.sent.count(len(protected))
            self.agent.send(protected)

    def send_rtcp(self, data: bytes) -> None:
        """As for RTP."""
        if self._srtp is not None:
            self._send(self._srtp.protect_rtcp(data))

    def send_data(self, data: bytes) -> None:
        """A packet of SCTP."""
        self._dtls.send(data)

    def close(self) -> None:
        """The end."""
        self._dtls.close()
        self._srtp = None
        self._server.remove(self.agent)

    # -- events --------------------------------------------------------------------------------

    def _ice_connected(self) -> None:
        self.journal.info("IceTransport.iceStateChanged#370", "ICE connected")
        self.events.ice_connected()
        self._maybe_start()

    def _maybe_start(self) -> None:
        if self._peer is not None and self.agent.selected is not None and not self._dtls.started:
            self._dtls.start(self._peer)

    def _packet(self, data: bytes) -> None:
        first = data[0]
        if 127 < first < 192:
            self.received.count(len(data))
            srtp = self._srtp
            if srtp is None:
                return
            if is_rtcp(data):
                plain = srtp.unprotect_rtcp(data)
                if plain is not None:
                    self.events.rtcp(plain)
            else:
                plain = srtp.unprotect(data)
                if plain is not None:
                    self.events.rtp(plain)
        elif 19 < first < 64:
            self._dtls.feed(data)

    def _connected(self, keys: Keys) -> None:
        self.journal.info("Endpoint$setupDtlsTransport$3.handshakeComplete#430",
                          "DTLS handshake complete")  # fmt: skip
        self._srtp = Srtp(keys)
        self.was_ready = True
        self.events.ready()

    def _failed(self, reason: str) -> None:
        self.journal.warning("DtlsTransport.startDtlsHandshake#130",
                             f"DTLS handshake failed: {reason}")  # fmt: skip
        self.events.dtls_failed()

    def _data(self, data: bytes) -> None:
        self.events.data(data)

    def _closed(self) -> None:
        self._srtp = None
