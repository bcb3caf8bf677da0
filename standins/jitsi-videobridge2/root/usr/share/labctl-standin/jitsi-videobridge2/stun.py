"""STUN messages (RFC 8489) with ICE's short-term credentials and attributes (RFC 8445); pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass

COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x8028
PRIORITY, USE_CANDIDATE, ICE_CONTROLLED, ICE_CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A


@dataclass(frozen=True, slots=True)
class Stun:
    """A message; each attribute with its offset, since the integrity covers what is before it."""

    kind: int
    transaction: bytes
    attributes: dict[int, tuple[int, bytes]]
    data: bytes

    @property
    def username(self) -> str:
        """USERNAME, empty where there is none."""
        return self.attributes.get(USERNAME, (0, b""))[1].decode(errors="replace")

    def verified(self, pwd: str) -> bool:
        """Whether the sender knows `pwd`."""
        at, mac = self.attributes.get(MESSAGE_INTEGRITY, (0, b""))
        return at > 0 and hmac.compare_digest(mac, integrity(self.data[:at], pwd))


def parse_stun(data: bytes) -> Stun | None:
    """The message in a datagram, None where it is something else."""
    if len(data) < 20 or data[0] & 0xC0:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if cookie != COOKIE or len(data) != 20 + length:
        return None
    attributes: dict[int, tuple[int, bytes]] = {}
    at = 20
    while at + 4 <= len(data):
        code, size = struct.unpack_from("!HH", data, at)
        attributes.setdefault(code, (at, data[at + 4 : at + 4 + size]))
        at += 4 + size + (-size % 4)
    return Stun(kind, data[8:20], attributes, data)


def integrity(message: bytes, pwd: str) -> bytes:
    """HMAC of a message that ends just before MESSAGE-INTEGRITY."""
    head = message[:2] + struct.pack("!H", len(message) - 20 + 24) + message[4:]
    return hmac.new(pwd.encode(), head, hashlib.sha1).digest()


def _attribute(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _message(kind: int, transaction: bytes, body: bytes, pwd: str) -> bytes:
    head = struct.pack("!HHI", kind, len(body), COOKIE) + transaction
    body += _attribute(MESSAGE_INTEGRITY, integrity(head + body, pwd))
    message = struct.pack("!HHI", kind, len(body) + 8, COOKIE) + transaction + body
    crc = zlib.crc32(message) ^ 0x5354554E
    return message + _attribute(FINGERPRINT, struct.pack("!I", crc))


def render_success(transaction: bytes, address: tuple[str, int], pwd: str) -> bytes:
    """A binding success response for the peer at `address`."""
    ip = ipaddress.ip_address(address[0]).packed
    mask = struct.pack("!I", COOKIE) + transaction
    family = 1 if len(ip) == 4 else 2
    mapped = struct.pack("!BBH", 0, family, address[1] ^ (COOKIE >> 16))
    mapped += bytes(a ^ b for a, b in zip(ip, mask, strict=False))
    return _message(BINDING_SUCCESS, transaction, _attribute(XOR_MAPPED_ADDRESS, mapped), pwd)


def render_check(
    transaction: bytes, username: str, pwd: str, *, tiebreaker: bytes, controlling: bool
) -> bytes:
    """A connectivity check; a controlling side nominates with each."""
    body = _attribute(USERNAME, username.encode())
    body += _attribute(PRIORITY, struct.pack("!I", 110 << 24 | 65535 << 8 | 255))
    body += _attribute(ICE_CONTROLLING if controlling else ICE_CONTROLLED, tiebreaker)
    if controlling:
        body += _attribute(USE_CANDIDATE, b"")
    return _message(BINDING_REQUEST, transaction, body, pwd)
