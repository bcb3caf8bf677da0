"""DTLS over datagrams, and the SRTP keys that come of it (RFC 5764).

Straight on pyOpenSSL.  aiortc's RTCDtlsTransport would do the same, but takes each packet through
a task and a queue: 49 us of CPU a packet against 33 with the sender's half in both, before its RTP
parser and after our counting (benchmarks/media.py --parts).
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from labctl.crowd.media.offer import Fingerprint
from labctl.crowd.media.problem import MediaProblem, MediaStage

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
)
LABEL = b"EXTRACTOR-dtls_srtp"
DTLS_1_2 = 0xFEFD  # what bridges speak; a later version's first flight may not fit a datagram
MTU = 1200
READ = 4096
REPLAY_WINDOW = 1024  # packets: bursts after a pause come out of order
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-1": hashes.SHA1(),
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A protection profile (RFC 5764, 4.1.2; RFC 7714, 14.2) with its sizes in bytes."""

    name: bytes
    policy: int
    key: int
    salt: int


PROFILES = (
    Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key pair that vouches for itself; its fingerprint goes into the Jingle."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> Fingerprint:
        return fingerprint_of(self.certificate, "sha-256")


def make_certificate() -> Certificate:
    """A fresh one, valid from a day ago: clocks differ."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "labctl crowd")])
    now = datetime.datetime.now(tz=datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=30),
    )
    return Certificate(key, builder.sign(key, hashes.SHA256()))


@cache
def own_certificate() -> Certificate:
    """One for this process: a participant more must not cost a key more."""
    return make_certificate()


def fingerprint_of(certificate: x509.Certificate, name: str) -> Fingerprint:
    return Fingerprint(name, certificate.fingerprint(HASHES[name]).hex(":").upper())


@cache
def _context(certificate: Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_max_proto_version(DTLS_1_2)
    # Any certificate passes here: it is the fingerprint that vouches for it, checked below.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_cipher_list(CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
    return context


class Dtls:
    """One association; datagrams in by `receive`, out by `send`."""

    __slots__ = (
        "_connection", "_done", "_prints", "_send", "_timer", "client", "closed", "on_data",
        "protect", "protect_rtcp", "retransmissions", "unprotect", "unprotect_rtcp",
    )  # fmt: skip

    def __init__(
        self,
        certificate: Certificate,
        *,
        client: bool,
        fingerprints: tuple[Fingerprint, ...],
        send: Callable[[bytes], None],
    ) -> None:
        self._connection = SSL.Connection(_context(certificate))
        self._connection.set_ciphertext_mtu(MTU)
        self.client = client
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._send, self._prints = send, fingerprints
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False
        self.retransmissions = 0
        self.on_data: Callable[[bytes], None] | None = None

    async def handshake(self) -> None:
        """MediaProblem where it fails; waits as long as the caller's deadline lets it."""
        self._step()
        await self._done

    def receive(self, datagram: bytes) -> None:
        """A datagram whose first byte says that it is DTLS."""
        if self.closed:
            return
        self._connection.bio_write(datagram)
        if not self._done.done():
            self._step()
        else:
            self._read()

    def send_data(self, data: bytes) -> None:
        """Application data: SCTP."""
        if not self.closed:
            self._connection.send(data)
            self._flush()

    def close(self) -> None:
        """Say goodbye, so that the bridge need not wait for a timeout."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._done.done() and not self._done.cancelled() and self._done.exception() is None:
            try:
                self._connection.shutdown()
            except SSL.Error:
                return
            self._flush()

    def _step(self) -> None:
        """Go on with the handshake as far as what came allows."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._wait()
        except SSL.Error as error:
            self._flush()
            self._fail(
                MediaProblem(MediaStage.DTLS, detail=f"the handshake failed ({_words(error)})")
            )
        else:
            self._flush()
            self._finish()

    def _wait(self) -> None:
        """OpenSSL says when a lost flight has to be sent again (RFC 6347, 4.2.4.1)."""
        delay = self._connection.DTLSv1_get_timeout()
        if delay is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self._again)

    def _again(self) -> None:
        self.retransmissions += 1
        self._connection.DTLSv1_handle_timeout()
        self._flush()
        self._wait()

    def _flush(self) -> None:
        while True:
            try:
                datagram = self._connection.bio_read(READ)
            except SSL.WantReadError:
                return
            self._send(datagram)

    def _read(self) -> None:
        while True:
            try:
                data = self._connection.recv(READ)
            except SSL.WantReadError:
                break
            except SSL.Error:  # its goodbye, or nonsense: ICE and packets say what became of it
                self.closed = True
                break
            if self.on_data is not None:
                self.on_data(data)
        self._flush()

    def _finish(self) -> None:
        problem = self._check_peer()
        if problem is None:
            try:
                self._make_keys()
            except (SSL.Error, StopIteration):
                detail = "the bridge agreed to none of our SRTP profiles"
                problem = MediaProblem(MediaStage.DTLS, detail=detail)
        if problem is not None:
            self._fail(problem)
        elif not self._done.done():
            self._done.set_result(None)

    def _fail(self, problem: MediaProblem) -> None:
        self.closed = True
        if not self._done.done():
            self._done.set_exception(problem)

    def _check_peer(self) -> MediaProblem | None:
        """Its certificate has to be the one that the Jingle names (RFC 5763, 5).

        Dates are not looked at: browsers do not either, so a wrong clock breaks no call here.
        """
        peer = self._connection.get_peer_certificate(as_cryptography=True)
        if peer is None:
            return MediaProblem(MediaStage.DTLS, detail="the bridge showed no certificate")
        known = [one for one in self._prints if one.hash in HASHES]
        if not known:
            return MediaProblem(
                MediaStage.FINGERPRINT, detail="the Jingle has none that can be checked"
            )
        for wanted in known:
            found = fingerprint_of(peer, wanted.hash)
            if found != wanted:
                detail = (
                    f"the Jingle says {wanted.hash} {wanted.value[:23]}…, "
                    f"the bridge's certificate has {found.value[:23]}…"
                )
                return MediaProblem(MediaStage.FINGERPRINT, detail=detail)
        return None

    def _make_keys(self) -> None:
        name = self._connection.get_selected_srtp_profile()
        profile = next(one for one in PROFILES if one.name == name)
        size = 2 * (profile.key + profile.salt)
        material = self._connection.export_keying_material(LABEL, size)
        ours, theirs = (0, 1) if self.client else (1, 0)
        sending = _session(profile, material, ours, Policy.SSRC_ANY_OUTBOUND)
        receiving = _session(profile, material, theirs, Policy.SSRC_ANY_INBOUND)
        self.protect, self.protect_rtcp = sending.protect, sending.protect_rtcp
        self.unprotect, self.unprotect_rtcp = receiving.unprotect, receiving.unprotect_rtcp


def _session(profile: Profile, material: bytes, index: int, direction: int) -> Session:
    key = material[index * profile.key : (index + 1) * profile.key]
    start = 2 * profile.key + index * profile.salt
    salt = material[start : start + profile.salt]
    policy = Policy(key=key + salt, ssrc_type=direction, srtp_profile=profile.policy)
    policy.window_size = REPLAY_WINDOW
    policy.allow_repeat_tx = True  # a NACK is answered with the packet as it was
    return Session(policy)


def _words(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(item[-1]) for item in reasons) or type(error).__name__
