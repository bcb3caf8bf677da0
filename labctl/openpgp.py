"""OpenPGP keys, as far as trusting exactly one of them needs: armour, packets, fingerprints.

RFC 9580, sections 4.2 (packet headers), 5.5.4 (fingerprints) and 6 (armour).  Nothing is
verified in here: that is apt's work, with the keyring that `choose_key` hands out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.errors import LabError

PUBLIC_KEY = 6
"""The packet that begins a key; what follows it up to the next one belongs to it."""

_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+: [^\n]*\n)*\s*\n?(.*?)"
    r"(?:\n=[A-Za-z0-9+/]{4}\s*)?\n?-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its signatures and sub-keys: the bytes that a keyring file holds."""

    fingerprint: str
    data: bytes


def parse_fingerprint(text: str) -> str | None:
    """A fingerprint in capital hexadecimal digits without blanks; None where it is none."""
    digits = re.sub(r"[\s:]", "", text).upper().removeprefix("0X")
    return digits if re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits) else None


def parse_keys(data: bytes) -> list[Key]:
    """All keys in a file, armoured or not.  Errors: ValueError where it holds no key."""
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
    return [Key(fingerprint, bytes(content)) for fingerprint, content in keys]


def choose_key(data: bytes, *, fingerprint: str, source: str) -> bytes:
    """A keyring that holds the key of this fingerprint and no other.

    Whoever answers in place of `source` may send any key, so none counts but the pinned one.
    Errors: LabError that names the fingerprints that are there.
    """
    try:
        keys = parse_keys(data)
    except ValueError as error:
        raise LabError(f"What '{source}' gives is not a key: {error}.") from error
    for key in keys:
        if key.fingerprint == fingerprint:
            return key.data
    found = ", ".join(f"'{key.fingerprint}'" for key in keys)
    raise LabError(
        f"'{source}' gives the key {found}, but '{fingerprint}' is expected.",
        hint="Either somebody else answers, or the repository has a new key: ask its makers by"
        " another way, then set 'packages.key' to the new fingerprint.",
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
            raise ValueError("it holds something else than OpenPGP packets")
        if head & 0x40:
            tag, size, begin = head & 0x3F, *_new_length(data, at + 1)
        else:
            octets = 1 << (head & 3)
            if octets == 8:
                raise ValueError("a packet of unknown length is in it")
            tag, begin = head >> 2 & 0xF, at + 1 + octets
            size = int.from_bytes(data[at + 1 : begin], "big")
        end = begin + size
        if end > len(data):
            raise ValueError("it is cut off")
        yield tag, data[begin:end], data[at:end]
        at = end


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """The length that stands at `at`, and where the body begins."""
    if at >= len(data):
        raise ValueError("it is cut off")
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return (first - 192 << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise ValueError("a packet of unknown length is in it")


def _fingerprint(body: bytes) -> str:
    size = len(body)
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + size.to_bytes(2, "big") + body).hexdigest().upper()
    if body[:1] == b"\x06":
        return hashlib.sha256(b"\x9b" + size.to_bytes(4, "big") + body).hexdigest().upper()
    raise ValueError(f"a key of version {body[0] if body else 0} is in it")
