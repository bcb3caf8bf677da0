"""The bridge channel over a WebSocket, through the lab's nginx as everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from labctl.crowd.errors import CrowdError
from labctl.crowd.media.channel import Channel, Message
from labctl.crowd.media.problem import MediaProblem, MediaStage
from labctl.crowd.target import Target
from labctl.crowd.wire import Wire

GRACE = 1.0  # seconds for the closing handshake


class WebSocketLine:
    """A `Line` over a WebSocket whose URL the bridge's transport gave."""

    def __init__(
        self, target: Target, url: str, channel: Channel, *, greet: Callable[[], list[Message]]
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "wss":
            detail = f"its URL has '{parts.scheme}' and not 'wss'"
            raise MediaProblem(MediaStage.CHANNEL, detail=detail)
        if parts.hostname != target.domain:
            # No name server is asked: what is not the lab's own door is not entered.
            detail = f"its URL leads to '{parts.hostname}', the lab's door is '{target.domain}'"
            raise MediaProblem(MediaStage.CHANNEL, detail=detail)
        self._channel, self._greet = channel, greet
        self._wire = Wire(
            target,
            f"{parts.path}?{parts.query}",
            on_text=channel.take,
            on_end=channel.lose,
            protocol="",
            port=parts.port,
        )
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """MediaProblem where nginx or the bridge refuses."""
        try:
            await self._wire.open()
        except CrowdError as error:
            raise MediaProblem(MediaStage.CHANNEL, detail=error.message.rstrip(".")) from error
        self._channel.line = self
        self._channel.opened(self._greet())

    def send(self, text: str) -> None:
        self._wire.send(text)

    def close(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._wire.close(grace=GRACE))
