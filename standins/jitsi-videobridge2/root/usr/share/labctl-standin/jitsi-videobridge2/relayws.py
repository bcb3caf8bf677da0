"""The bridge channel between two bridges by WebSocket: who was given an address connects."""

from __future__ import annotations

import asyncio

import aiohttp
from channel import Channel, Way
from jitsilog import Journal

RETRY = 1.0


class RelaySocket:
    """Connects to the other bridge, and again when the connection breaks, until it is closed."""

    def __init__(self, url: str, channel: Channel, journal: Journal) -> None:
        self._url = url
        self._channel = channel
        self._journal = journal
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """The relay goes."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                async with (
                    aiohttp.ClientSession() as session,
                    session.ws_connect(self._url, heartbeat=15.0) as socket,
                ):
                    await self._talk(socket)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._journal.warning(
                    "RelayMessageTransport.webSocketError#340", f"Colibri websocket error: {error}"
                )
            await asyncio.sleep(RETRY)

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        send = queue.put_nowait
        writer = asyncio.create_task(_write(socket, queue))
        self._channel.attach(Way.WEBSOCKET, send, close=writer.cancel)
        try:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    self._channel.received(Way.WEBSOCKET, message.data)
        finally:
            self._channel.detach(Way.WEBSOCKET, send)
            writer.cancel()


async def _write(socket: aiohttp.ClientWebSocketResponse, queue: asyncio.Queue[str]) -> None:
    while True:
        await socket.send_str(await queue.get())
