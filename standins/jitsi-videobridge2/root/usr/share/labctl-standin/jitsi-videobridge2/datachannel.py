"""The bridge's data channel over SCTP (RFC 8831), opened by the client (RFC 8832)."""

from __future__ import annotations

import struct

from channel import Channel, Way
from jitsilog import Journal
from sctp import Association
from transport import PeerTransport

LABEL = "JVB data channel"
PROTOCOL = "http://jitsi.org/protocols/colibri"
CONTROL, STRING, EMPTY_STRING = 50, 51, 56
OPEN, ACK = 3, 2
OPEN_HEAD = struct.Struct("!BBHIHH")


def parse_open(message: bytes) -> str | None:
    """The label of a DATA_CHANNEL_OPEN, None for anything else."""
    if len(message) < OPEN_HEAD.size or message[0] != OPEN:
        return None
    length = OPEN_HEAD.unpack_from(message)[4]
    return message[OPEN_HEAD.size : OPEN_HEAD.size + length].decode(errors="replace")


def render_open(label: str, protocol: str) -> bytes:
    """A DATA_CHANNEL_OPEN for a reliable, ordered channel."""
    name, other = label.encode(), protocol.encode()
    return OPEN_HEAD.pack(OPEN, 0, 0, 0, len(name), len(other)) + name + other


class DataChannel:
    """Connects a transport's SCTP with a bridge channel; one data channel, as upstream allows."""

    def __init__(
        self, transport: PeerTransport, channel: Channel, journal: Journal, *, client: bool = False
    ) -> None:
        self._channel = channel
        self._journal = journal
        self._client = client
        self._stream: int | None = None
        self.association = Association(transport.send_data, self._message)
        self.association.on_open = self._open
        self.association.on_closed = self._closed
        transport.events.data = self.association.receive

    def start(self) -> None:
        """DTLS is there; a client begins, a server waits."""
        if self._client:
            self.association.connect()

    def close(self) -> None:
        """The transport goes."""
        self.association.close()

    def _open(self) -> None:
        self._journal.info(
            "DcSctpTransport$SctpCallbacks.OnConnected#250", "SCTP connection is ready"
        )
        if self._client:
            self.association.send(0, CONTROL, render_open(LABEL, PROTOCOL))

    def _message(self, stream: int, protocol: int, message: bytes) -> None:
        if protocol == CONTROL:
            self._control(stream, message)
        elif stream == self._stream and protocol in (STRING, EMPTY_STRING):
            text = message.decode(errors="replace") if protocol == STRING else ""
            self._channel.received(Way.DATA_CHANNEL, text)

    def _control(self, stream: int, message: bytes) -> None:
        label = parse_open(message)
        if label is not None and self._stream in (None, stream):
            self._journal.info("DataChannelStack.onDataChannelOpenMessage#95",
                               f"Remote side opened a data channel: {label}")  # fmt: skip
            self.association.send(stream, CONTROL, bytes([ACK]))
            self._attach(stream)
        elif message[:1] == bytes([ACK]) and self._client:
            self._attach(stream)

    def _attach(self, stream: int) -> None:
        if self._stream is None:
            self._stream = stream
            self._channel.attach(Way.DATA_CHANNEL, self._say, close=lambda: None)

    def _say(self, text: str) -> None:
        if self._stream is not None:
            self.association.send(self._stream, STRING, text.encode() or b"\0")

    def _closed(self) -> None:
        self._stream = None
        self._channel.detach(Way.DATA_CHANNEL, self._say)
