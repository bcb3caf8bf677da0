"""A client of TURN (RFC 8656), as small as its test needs: allocate, permit, send, receive."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

COOKIE = 0x2112A442
UDP = 17

ALLOCATE, CREATE_PERMISSION, SEND, DATA = 0x0003, 0x0008, 0x0016, 0x0017
SUCCESS, FAILURE = 0x0100, 0x0110

USERNAME, INTEGRITY, ERROR_CODE = 0x0006, 0x0008, 0x0009
PEER, PAYLOAD, REALM, NONCE, RELAYED, TRANSPORT = 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0019

Peer = tuple[IPv4Address, int]


class RefusedError(Exception):
    """The server refused; `code` is its error code (401, 403, 438 ...)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the TURN server refused with {code}")
        self.code = code


@dataclass(slots=True)
class Allocation:
    """One client with a relayed address; `connection` is UDP, or TLS over TCP."""

    connection: socket.socket
    username: str
    password: str
    _realm: bytes = b""
    _nonce: bytes = b""
    _early: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def allocate(self) -> Peer:
        """Ask for a relayed UDP address; the first try learns realm and nonce."""
        wish = {TRANSPORT: struct.pack("!B3x", UDP)}
        try:
            self._request(ALLOCATE, wish, signed=False)
        except RefusedError as refused:
            if refused.code != 401:
                raise
        answer = self._request(ALLOCATE, wish)
        return _address(answer[RELAYED])

    def permit(self, peer: Peer) -> None:
        self._request(CREATE_PERMISSION, {PEER: _xored(peer)})

    def send(self, peer: Peer, payload: bytes) -> None:
        self._write(_message(SEND, secrets.token_bytes(12), {PEER: _xored(peer), PAYLOAD: payload}))

    def receive(self) -> tuple[Peer, bytes]:
        """The next packet that the relayed address got; socket.timeout where none comes."""
        while True:
            message = self._early.pop(0) if self._early else self._read()
            if _type(message) == DATA:
                found = _attributes(message)
                return _address(found[PEER]), found[PAYLOAD]

    def _request(
        self, kind: int, attributes: Mapping[int, bytes], *, signed: bool = True
    ) -> dict[int, bytes]:
        name = secrets.token_bytes(12)
        given = dict(attributes)
        key = b""
        if signed:
            given |= {USERNAME: self.username.encode(), REALM: self._realm, NONCE: self._nonce}
            words = f"{self.username}:{self._realm.decode()}:{self.password}"
            key = hashlib.md5(words.encode(), usedforsecurity=False).digest()
        self._write(_message(kind, name, given, key=key))
        while (answer := self._read())[8:20] != name:
            self._early.append(answer)
        found = _attributes(answer)
        self._realm, self._nonce = found.get(REALM, self._realm), found.get(NONCE, self._nonce)
        if _type(answer) == kind | FAILURE:
            raise RefusedError(found[ERROR_CODE][2] * 100 + found[ERROR_CODE][3])
        return found

    def _write(self, message: bytes) -> None:
        self.connection.sendall(message)

    def _read(self) -> bytes:
        if self.connection.type is socket.SOCK_DGRAM:
            return self.connection.recv(2048)
        head = self._exactly(20)
        return head + self._exactly(struct.unpack("!H", head[2:4])[0])

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self.connection.recv(count - len(found))
            if not part:
                raise ConnectionResetError("the TURN server closed the connection")
            found += part
        return found


def over_udp(address: IPv4Address, port: int, *, seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.settimeout(seconds)
    connection.connect((str(address), port))
    return connection


def over_tls(
    address: IPv4Address, port: int, *, name: str, context: ssl.SSLContext, seconds: float
) -> socket.socket:
    plain = socket.create_connection((str(address), port), timeout=seconds)
    return context.wrap_socket(plain, server_hostname=name)


def _message(kind: int, name: bytes, attributes: Mapping[int, bytes], *, key: bytes = b"") -> bytes:
    body = b"".join(_attribute(number, value) for number, value in attributes.items())
    if not key:
        return struct.pack("!HHI", kind, len(body), COOKIE) + name + body
    signed = struct.pack("!HHI", kind, len(body) + 24, COOKIE) + name + body
    return signed + _attribute(INTEGRITY, hmac.digest(key, signed, "sha1"))


def _attribute(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def _attributes(message: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 20
    while at + 4 <= len(message):
        number, length = struct.unpack("!HH", message[at : at + 4])
        found.setdefault(number, message[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    return found


def _type(message: bytes) -> int:
    return int.from_bytes(message[:2], "big")


def _xored(peer: Peer) -> bytes:
    """XOR-PEER-ADDRESS: address and port, veiled with the cookie (RFC 8489 14.2)."""
    address, port = peer
    return struct.pack("!BBHI", 0, 1, port ^ (COOKIE >> 16), int(address) ^ COOKIE)


def _address(value: bytes) -> Peer:
    _, _, port, address = struct.unpack("!BBHI", value[:8])
    return IPv4Address(address ^ COOKIE), port ^ (COOKIE >> 16)
