"""DTLS of one transport (RFC 6347), by OpenSSL: handshake, fingerprints, keys for SRTP (RFC 5764).

OpenSSL reads and writes memory; what it writes is cut into datagrams at the borders of its records.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from srtp import PROFILES, Keys, split_keys

MTU = 1200
EARLY_PACKETS = 8
HANDSHAKE_TIMEOUT = 30.0
LABEL = b"EXTRACTOR-dtls_srtp"


def render_fingerprint(digest: bytes) -> str:
    """In the notation of RFC 8122."""
    return ":".join(f"{byte:02X}" for byte in digest)


class Identity:
    """A key with a self-signed certificate, and the context that uses it."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "JVB")])
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + 7 * day)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = render_fingerprint(
            hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        )
        self._key, self._certificate = key, certificate

    def context(self, verify: Callable[[Any], bool]) -> SSL.Context:
        """A context that asks for the peer's certificate and lets `verify` judge it."""
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
            lambda connection, certificate, error, depth, ok: verify(certificate),
        )
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_tlsext_use_srtp(b":".join(profile.encode() for profile in PROFILES))
        return context


@dataclass(frozen=True, slots=True)
class Peer:
    """What the peer's Jingle said: fingerprints by hash, and whether it is the DTLS client."""

    fingerprints: dict[str, frozenset[str]]
    client: bool

    def owns(self, certificate: Any) -> bool:
        """Whether a certificate is the one that was announced."""
        der = certificate.to_cryptography().public_bytes(serialization.Encoding.DER)
        for name, wanted in self.fingerprints.items():
            algorithm = name.lower().replace("-", "")
            if algorithm in ("sha1", "sha224", "sha256", "sha384", "sha512"):
                digest = render_fingerprint(hashlib.new(algorithm, der).digest())
                if digest in wanted:
                    return True
        return False


@dataclass(slots=True)
class DtlsEvents:
    """What the owner of a session is told."""

    send: Callable[[bytes], None]
    connected: Callable[[Keys], None]
    failed: Callable[[str], None]
    data: Callable[[bytes], None]
    closed: Callable[[], None] = lambda: None


@dataclass(slots=True)
class DtlsSession:
    """One association; packets that come before `start` wait for it."""

    identity: Identity
    events: DtlsEvents
    connected: bool = False
    failed: bool = False
    _connection: SSL.Connection | None = None
    _client: bool = False
    _early: list[bytes] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    _deadline: float = 0.0
    _refused: bool = False

    @property
    def started(self) -> bool:
        """Whether the handshake has begun."""
        return self._connection is not None

    def start(self, peer: Peer) -> None:
        """Begin the handshake, in the role that the peer leaves us."""
        self._deadline = asyncio.get_running_loop().time() + HANDSHAKE_TIMEOUT

        def verify(certificate: Any) -> bool:
            self._refused = not peer.owns(certificate)
            return not self._refused

        connection = SSL.Connection(self.identity.context(verify), None)
        connection.set_ciphertext_mtu(MTU)
        self._client = not peer.client
        if self._client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        self._connection = connection
        early, self._early = self._early, []
        for packet in early:
            connection.bio_write(packet)
        self._shake()

    def feed(self, packet: bytes) -> None:
        """A datagram of the peer's."""
        connection = self._connection
        if connection is None:
            if len(self._early) < EARLY_PACKETS:
                self._early.append(packet)
            return
        if self.failed:
            return
        connection.bio_write(packet)
        if self.connected:
            self._read(connection)
        else:
            self._shake()

    def send(self, data: bytes) -> None:
        """Application data, one record."""
        if self.connected and self._connection is not None:
            try:
                self._connection.send(data)
            except SSL.Error:
                return
            self._flush()

    def close(self) -> None:
        """Say goodbye, if there is somebody to say it to."""
        self._stop_timer()
        if self.connected and self._connection is not None:
            try:
                self._connection.shutdown()
            except SSL.Error:
                return
            finally:
                self.connected = False
            self._flush()

    # -- handshake -----------------------------------------------------------------------------

    def _shake(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._stop_timer()
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._wait(connection)
            return
        except SSL.Error as error:
            self._flush()
            self._fail(str(error))
            return
        self._flush()
        self._shaken(connection)

    def _shaken(self, connection: SSL.Connection) -> None:
        profile = PROFILES.get(connection.get_selected_srtp_profile().decode())
        if profile is None:
            self._fail("the peer knows no SRTP profile of ours")
            return
        material = connection.export_keying_material(LABEL, 2 * (profile.key + profile.salt))
        self.connected = True
        self.events.connected(split_keys(material, profile, client=self._client))
        self._read(connection)

    def _fail(self, reason: str) -> None:
        self.failed = True
        self._stop_timer()
        self.events.failed("fingerprint mismatch" if self._refused else reason)

    def _wait(self, connection: SSL.Connection) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() > self._deadline:
            self._fail("timeout")
            return
        delay = connection.DTLSv1_get_timeout()
        self._timer = loop.call_later(1.0 if delay is None else delay, self._time_out)

    def _time_out(self) -> None:
        if self._connection is not None and not self.connected:
            self._connection.DTLSv1_handle_timeout()
            self._flush()
            self._wait(self._connection)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- records -------------------------------------------------------------------------------

    def _read(self, connection: SSL.Connection) -> None:
        while True:
            try:
                data = connection.recv(65536)
            except SSL.ZeroReturnError:
                self.connected = False
                self.events.closed()
                return
            except SSL.Error:
                break
            self.events.data(data)
        self._flush()

    def _flush(self) -> None:
        if self._connection is None:
            return
        written = b""
        while True:
            try:
                written += self._connection.bio_read(65536)
            except SSL.Error:
                break
        for datagram in pack_records(written):
            self.events.send(datagram)


def pack_records(data: bytes) -> Iterator[bytes]:
    """DTLS records as datagrams of at most MTU bytes (a longer record goes alone)."""
    start = at = 0
    while at + 13 <= len(data):
        end = at + 13 + int.from_bytes(data[at + 11 : at + 13], "big")
        if end - start > MTU and at > start:
            yield data[start:at]
            start = at
        at = end
    if at > start:
        yield data[start:at]
