"""The bridge channel over SCTP: aiortc's association over this participant's DTLS.

aiortc is loaded only here, at the first participant with a data channel: it brings FFmpeg's
libraries along (0.25 s and 30 MB, measured), of which nothing else here has any use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from labctl.crowd.media.channel import Channel, Message
from labctl.crowd.media.dtls import Dtls

LABEL, PROTOCOL = "JVB data channel", "http://jitsi.org/protocols/colibri"  # upstream's client's
MESSAGE = 262_144  # bytes, the largest that either side takes


class _OverDtls:
    """What aiortc's association asks of the transport below: this much of RTCDtlsTransport."""

    def __init__(self, dtls: Dtls) -> None:
        self._dtls = dtls
        self._role = "client" if dtls.client else "server"
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> str:
        return "closed" if self._dtls.closed else "connected"

    async def _send_data(self, data: bytes) -> None:
        self._dtls.send_data(data)

    def _register_data_receiver(self, receiver: Any) -> None:
        def take(data: bytes) -> None:
            task = asyncio.get_running_loop().create_task(receiver._handle_data(data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._dtls.on_data = take

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self._dtls.on_data = None


class DataChannel:
    """A `Line` over SCTP."""

    def __init__(self, dtls: Dtls, channel: Channel, *, greet: Callable[[], list[Message]]) -> None:
        self._sctp = RTCSctpTransport(_OverDtls(dtls))  # type: ignore[arg-type]
        self._channel, self._greet = channel, greet
        self._data: RTCDataChannel | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def open(self, port: int) -> None:
        """Begin the association with the bridge's `port`, and open the one data channel."""
        self._sctp.on("datachannel", self._on_data_channel)
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=MESSAGE), port)
        parameters = RTCDataChannelParameters(label=LABEL, protocol=PROTOCOL)
        self._use(RTCDataChannel(self._sctp, parameters))

    def _on_data_channel(self, data: RTCDataChannel) -> None:
        """The bridge has opened one by itself: older ones did."""
        self._use(data)
        if self._channel.opened_at is None:
            self._on_open()

    def _use(self, data: RTCDataChannel) -> None:
        self._data = data
        data.on("open", self._on_open)
        data.on("message", self._on_message)
        data.on("close", lambda: self._channel.lose("the bridge closed the data channel"))

    def _on_open(self) -> None:
        self._channel.line = self
        self._channel.opened(self._greet())

    def _on_message(self, message: str | bytes) -> None:
        self._channel.take(message if isinstance(message, str) else message.decode())

    def send(self, text: str) -> None:
        if self._data is not None and self._data.readyState == "open":
            self._data.send(text)

    def close(self) -> None:
        self._stopping = asyncio.get_running_loop().create_task(self._sctp.stop())
