"""SASL for clients: SCRAM (RFC 5802), PLAIN, ANONYMOUS; text in, text out, no I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from typing import Protocol


class SaslError(Exception):
    """The server refused us, or could not prove that it knows the password."""


class Mechanism(Protocol):
    """One authentication attempt."""

    name: str

    def initial(self) -> bytes:
        """The initial response."""

    def challenge(self, data: bytes) -> bytes:
        """The response to a challenge."""

    def success(self, data: bytes) -> None:
        """Check what came with success; raises SaslError."""


class Plain:
    """RFC 4616."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        self._message = f"\0{user}\0{password}".encode()

    def initial(self) -> bytes:
        return self._message

    def challenge(self, data: bytes) -> bytes:
        raise SaslError("PLAIN has no challenges")

    def success(self, data: bytes) -> None:
        return None


class Anonymous:
    """RFC 4505."""

    name = "ANONYMOUS"

    def initial(self) -> bytes:
        return b""

    def challenge(self, data: bytes) -> bytes:
        raise SaslError("ANONYMOUS has no challenges")

    def success(self, data: bytes) -> None:
        return None


class Scram:
    """RFC 5802 without channel binding; verifies the server's signature."""

    def __init__(self, user: str, password: str, *, digest: str, nonce: str | None = None) -> None:
        self.name = "SCRAM-" + {"sha1": "SHA-1", "sha256": "SHA-256"}[digest]
        self._digest = digest
        self._password = password.encode()
        self._nonce = nonce or secrets.token_urlsafe(18)
        escaped = user.replace("=", "=3D").replace(",", "=2C")
        self._first = f"n={escaped},r={self._nonce}"
        self._signature = b""

    def initial(self) -> bytes:
        return f"n,,{self._first}".encode()

    def challenge(self, data: bytes) -> bytes:
        server = data.decode()
        fields = dict(part.split("=", 1) for part in server.split(","))
        if not fields["r"].startswith(self._nonce):
            raise SaslError("the server's nonce does not begin with ours")
        salted = hashlib.pbkdf2_hmac(
            self._digest, self._password, base64.b64decode(fields["s"]), int(fields["i"])
        )
        final = f"c=biws,r={fields['r']}"
        message = f"{self._first},{server},{final}".encode()
        client_key = self._mac(salted, b"Client Key")
        stored = hashlib.new(self._digest, client_key).digest()
        signature = self._mac(stored, message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = self._mac(self._mac(salted, b"Server Key"), message)
        return f"{final},p={base64.b64encode(proof).decode()}".encode()

    def success(self, data: bytes) -> None:
        if data != b"v=" + base64.b64encode(self._signature):
            raise SaslError("the server does not know the password")

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self._digest).digest()


def choose_mechanism(offered: Collection[str], user: str, password: str | None) -> Mechanism:
    """The best mechanism that both sides have; ANONYMOUS when there is no password."""
    if password is None:
        if "ANONYMOUS" in offered:
            return Anonymous()
    elif "SCRAM-SHA-256" in offered:
        return Scram(user, password, digest="sha256")
    elif "SCRAM-SHA-1" in offered:
        return Scram(user, password, digest="sha1")
    elif "PLAIN" in offered:
        return Plain(user, password)
    raise SaslError(f"no usable SASL mechanism among {sorted(offered)}")
