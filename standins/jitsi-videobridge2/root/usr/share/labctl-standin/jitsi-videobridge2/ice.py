"""The bridge's UDP port: answers STUN binding requests with ICE's short-term credentials.

RFC 8489 for the messages, RFC 8445 for the credentials.  Everything else is dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from media import IceAgent

COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x8028


def parse_binding(data: bytes) -> tuple[bytes, dict[int, tuple[int, bytes]]] | None:
    """Transaction id and attributes (offset, value) of a STUN binding request, else None."""
    if len(data) < 20 or data[0] & 0xC0:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind != BINDING_REQUEST or cookie != COOKIE or len(data) != 20 + length:
        return None
    attributes: dict[int, tuple[int, bytes]] = {}
    at = 20
    while at + 4 <= len(data):
        code, size = struct.unpack_from("!HH", data, at)
        attributes.setdefault(code, (at, data[at + 4 : at + 4 + size]))
        at += 4 + size + (-size % 4)
    return data[8:20], attributes


def integrity(message: bytes, pwd: str) -> bytes:
    """HMAC of a message that ends just before MESSAGE-INTEGRITY."""
    head = message[:2] + struct.pack("!H", len(message) - 20 + 24) + message[4:]
    return hmac.new(pwd.encode(), head, hashlib.sha1).digest()


def _attribute(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def render_success(transaction: bytes, address: tuple[str, int], pwd: str) -> bytes:
    """A binding success response for the peer at `address`."""
    ip = ipaddress.ip_address(address[0]).packed
    mask = struct.pack("!I", COOKIE) + transaction
    family = 1 if len(ip) == 4 else 2
    mapped = struct.pack("!BBH", 0, family, address[1] ^ (COOKIE >> 16))
    mapped += bytes(a ^ b for a, b in zip(ip, mask, strict=False))
    body = _attribute(XOR_MAPPED_ADDRESS, mapped)
    head = struct.pack("!HHI", BINDING_SUCCESS, len(body), COOKIE) + transaction
    body += _attribute(MESSAGE_INTEGRITY, integrity(head + body, pwd))
    message = struct.pack("!HHI", BINDING_SUCCESS, len(body) + 8, COOKIE) + transaction + body
    crc = zlib.crc32(message) ^ 0x5354554E
    return message + _attribute(FINGERPRINT, struct.pack("!I", crc))


class IceServer(asyncio.DatagramProtocol):
    """Answers for every agent in `agents` (by local ufrag)."""

    def __init__(
        self, agents: Mapping[str, IceAgent], connected: Callable[[IceAgent], None]
    ) -> None:
        self._agents = agents
        self._connected = connected
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.DatagramTransport):
            self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        parsed = parse_binding(data)
        if parsed is None or self._transport is None:
            return
        transaction, attributes = parsed
        ufrag = attributes.get(USERNAME, (0, b""))[1].decode(errors="replace").partition(":")[0]
        agent = self._agents.get(ufrag)
        at, mac = attributes.get(MESSAGE_INTEGRITY, (0, b""))
        if agent is None or not hmac.compare_digest(mac, integrity(data[:at], agent.pwd)):
            return
        first = agent.active is None
        agent.active = time.monotonic()
        self._transport.sendto(render_success(transaction, addr[:2], agent.pwd), addr)
        if first:
            self._connected(agent)


def local_addresses(table: str) -> list[str]:
    """The machine's IPv4 addresses from the text of /proc/net/fib_trie, without loopback."""
    found: list[str] = []
    previous = ""
    for line in table.splitlines():
        if "/32 host LOCAL" in line and previous and not previous.startswith("127."):
            if previous not in found:
                found.append(previous)
        elif "|--" in line:
            previous = line.split("|--")[1].strip()
    return found


def read_addresses() -> list[str]:
    """The addresses that a host candidate may carry."""
    try:
        return local_addresses(Path("/proc/net/fib_trie").read_text())
    except OSError:
        return [socket.gethostbyname(socket.gethostname())]
