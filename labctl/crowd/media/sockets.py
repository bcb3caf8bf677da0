"""UDP sockets read straight from the loop: many datagrams for each wake-up.

asyncio's datagram transports read one datagram for each turn of the loop and say of a refused
send neither when nor to whom; here `send` raises where the machine refuses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from labctl.crowd.media.check import Address, Path

READ = 2048  # bytes: no bridge sends more than an Ethernet frame
AT_ONCE = 64
"""Datagrams for each wake-up, so that one participant does not starve the others."""
BUFFER = 1 << 20  # bytes: a second of a large conference

OnDatagram = Callable[[bytes, Address, Path], None]


class UdpSocket:
    """One socket for all of a session, of one version of IP."""

    __slots__ = ("_loop", "_on_datagram", "_socket")

    def __init__(self, version: int, on_datagram: OnDatagram) -> None:
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind(("::" if version == 6 else "0.0.0.0", 0))
        self._on_datagram = on_datagram
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def send(self, datagram: bytes, to: Address) -> None:
        try:
            self._socket.sendto(datagram, to)
        except BlockingIOError:
            return  # as a full queue of a network card would: it is lost

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                datagram, source = self._socket.recvfrom(READ)
            except (BlockingIOError, OSError):
                return
            if datagram:
                self._on_datagram(datagram, (source[0], source[1]), self)
            if self._socket.fileno() < 0:
                return
