"""SRTP and SRTCP of one transport, by libsrtp, with the keys of the DTLS handshake (RFC 5764)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pylibsrtp import Error, Policy, Session

WINDOW = 1024


@dataclass(frozen=True, slots=True)
class Profile:
    """A protection profile; lengths in bytes."""

    number: int
    key: int
    salt: int


PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Profile(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    "SRTP_AES128_CM_SHA1_80": Profile(Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """What each direction is protected with: key and salt."""

    profile: Profile
    ours: bytes
    theirs: bytes


def split_keys(material: bytes, profile: Profile, *, client: bool) -> Keys:
    """The exported keying material by direction (RFC 5764, 4.2)."""
    key, salt = profile.key, profile.salt
    salts = material[2 * key :]
    from_client = material[:key] + salts[:salt]
    from_server = material[key : 2 * key] + salts[salt : 2 * salt]
    ours, theirs = (from_client, from_server) if client else (from_server, from_client)
    return Keys(profile, ours, theirs)


class Srtp:
    """Protects what is sent and unprotects what is received."""

    def __init__(self, keys: Keys) -> None:
        self._out = self._session(keys.ours, keys.profile, Policy.SSRC_ANY_OUTBOUND)
        self._in = self._session(keys.theirs, keys.profile, Policy.SSRC_ANY_INBOUND)
        self.refused = 0

    @staticmethod
    def _session(key: bytes, profile: Profile, direction: int) -> Session:
        policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.number)
        policy.allow_repeat_tx = True  # a packet that was lost is sent again
        policy.window_size = WINDOW
        return Session(policy)

    def protect(self, data: bytes) -> bytes | None:
        """The SRTP packet, None where libsrtp takes it for no packet or an old one."""
        return self._guarded(self._out.protect, data)

    def protect_rtcp(self, data: bytes) -> bytes | None:
        """The SRTCP packet, None as above."""
        return self._guarded(self._out.protect_rtcp, data)

    def unprotect(self, data: bytes) -> bytes | None:
        """The RTP packet, None where it was tampered with, repeated or is too old."""
        return self._guarded(self._in.unprotect, data)

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """The RTCP packet, None as above."""
        return self._guarded(self._in.unprotect_rtcp, data)

    def _guarded(self, work: Callable[[bytes], bytes], data: bytes) -> bytes | None:
        try:
            return work(data)
        except (Error, TypeError):  # TypeError: longer than libsrtp's buffer
            self.refused += 1
            return None
