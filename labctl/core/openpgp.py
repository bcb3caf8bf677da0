"""The part of OpenPGP that it takes to trust exactly one key: armour, packets, fingerprints.

RFC 9580, sections 4.2 (packet headers), 5.5.4 (fingerprints) and 6 (armour).  Nothing is
verified here; apt does that, with the keyring that `choose_key` returns.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.core.errors import LabError

PUBLIC_KEY = 6
"""The packet that begins a key; all packets up to the next one belong to it."""

_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+: [^\n]*\n)*\s*\n?(.*?)"
    r"(?:\n=[A-Za-z0-9+/]{4}\s*)?\n?-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PgpKey:
    """A key with its signatures and sub-keys: the bytes that a keyring file holds."""

    fingerprint: str
    data: bytes


def parse_fingerprint(text: str) -> str | None:
    """A fingerprint in upper-case hexadecimal digits without blanks; None if it is not one."""
    digits = re.sub(r"[\s:]", "", text).upper().removeprefix("0X")
    return digits if re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits) else None


def parse_keys(data: bytes) -> list[PgpKey]:
    """All keys in a file, armoured or not.  Errors: ValueError if it holds no key."""
    raw = _dearmour(data) if b"-----BEGIN PGP" in data else data
    keys: list[tuple[str, bytearray]] = []
    for tag, body, packet in _packets(raw):
        if tag == PUBLIC_KEY:
            keys.append((_fingerprint(body), bytearray()))
        if not keys:
            raise ValueError("it does not begin with a key")
        keys[-1][1].extend(packet)
    if not keys:
        raise ValueError("it is empty")
    return [PgpKey(fingerprint, bytes(content)) for fingerprint, content in keys]


def choose_key(data: bytes, *, fingerprint: str, source: str) -> bytes:
    """A keyring with the key of this fingerprint and no other.

    Somebody else may answer in place of `source` and send any key, so only the pinned one counts.
    Errors: LabError that names the fingerprints that were found.
    """
    try:
        keys = parse_keys(data)
    except ValueError as error:
        raise LabError(f"'{source}' did not return a key: {error}.") from error
    for key in keys:
        if key.fingerprint == fingerprint:
            return key.data
    found = ", ".join(f"'{key.fingerprint}'" for key in keys)
    raise LabError(
        f"'{source}' returned the key {found}, but '{fingerprint}' is expected.",
        hint="Either somebody else answers, or the repository has a new key. Check the new"
        " fingerprint with its makers, then set 'packages.key' to it.",
    )


def _dearmour(data: bytes) -> bytes:
    match = _ARMOUR.search(data.decode("ascii", errors="replace").replace("\r\n", "\n"))
    if match is None:
        raise ValueError("its armour is damaged")
    try:
        return base64.b64decode("".join(match[1].split()), validate=True)
    except binascii.Error:
        raise ValueError("its armour is damaged") from None


def _packets(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(tag, body, whole packet) of each packet."""
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise ValueError("it holds something other than OpenPGP packets")
        if head & 0x40:
            tag, size, begin = head & 0x3F, *_new_length(data, at + 1)
        else:
            octets = 1 << (head & 3)
            if octets == 8:
                raise ValueError("it holds a packet of unknown length")
            tag, begin = head >> 2 & 0xF, at + 1 + octets
            size = int.from_bytes(data[at + 1 : begin], "big")
        end = begin + size
        if end > len(data):
            raise ValueError("it is cut off")
        yield tag, data[begin:end], data[at:end]
        at = end


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """The length that is written at `at`, and where the body begins."""
    if at >= len(data):
        raise ValueError("it is cut off")
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return (first - 192 << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise ValueError("it holds a packet of unknown length")


def _fingerprint(body: bytes) -> str:
    size = len(body)
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + size.to_bytes(2, "big") + body).hexdigest().upper()
    if body[:1] == b"\x06":
        return hashlib.sha256(b"\x9b" + size.to_bytes(4, "big") + body).hexdigest().upper()
    raise ValueError(f"it holds a key of version {body[0] if body else 0}")
