"""HTTPS and raw XMPP over WebSocket to the lab's nginx, verified against the lab's CA."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from labctl.crowd import CrowdError, Target
from labctl.crowd.sync import wait
from labctl.crowd.xml import FRAMING

SECONDS = 10


def seconds_of(target: Target) -> float:
    """How long one answer may take."""
    return target.patience.scaled(SECONDS)


class _Door(http.client.HTTPSConnection):
    """Connects to the lab's address whatever the name resolves to here."""

    def __init__(self, target: Target) -> None:
        super().__init__(
            target.domain, target.port, context=target.context(), timeout=seconds_of(target)
        )
        self._address = str(target.address), target.port

    def connect(self) -> None:
        raw = socket.create_connection(self._address, self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Reply:
    """What nginx answered."""

    status: int
    kind: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""

    def json(self) -> Mapping[str, Any]:
        data = json.loads(self.body)
        return data if isinstance(data, dict) else {}


def ask(target: Target, path: str, *, data: Mapping[str, Any] | None = None) -> Reply:
    """GET a path of the site, or POST data as JSON.  Errors: CrowdError where nothing answers."""
    door = _Door(target)
    try:
        body = None if data is None else json.dumps(data)
        headers = {} if data is None else {"Content-Type": "application/json"}
        door.request("GET" if data is None else "POST", path, body, headers)
        answer = door.getresponse()
        text = answer.read().decode(errors="replace")
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found.get("content-type", ""), text, found)
    except (OSError, http.client.HTTPException) as error:
        where = f"https://{target.domain}{path}"
        said = error or type(error).__name__
        raise CrowdError(f"Node 'jms' gave no answer at {where}: {said}.") from error
    finally:
        door.close()


def request_conference(target: Target, room: str, *, visitor: bool) -> Reply:
    """A conference request as clients send it over HTTP; Jicofo joins the rooms at once.

    The conference ends by itself when nobody joins within 15 s (jicofo's `initial-timeout`).
    """
    properties = {"visitors-version": "1"} | ({"visitor": "true"} if visitor else {})
    wanted = {"room": target.room_jid(room, None), "properties": properties}
    return ask(target, "/conference-request/v1", data=wanted)


def talk(target: Target, domain: str, *frames: str) -> list[str]:
    """Open an XMPP stream to a domain, send frames one by one, and give what came back.

    Each frame waits for one answer; the stream's own <open/> and features come first.  Errors:
    CrowdError where nothing answers, or what answers is no stream.
    """
    try:
        return wait(_talk(target, domain, frames))
    except (OSError, WebSocketException) as error:
        said = error or type(error).__name__
        raise CrowdError(f"Node 'jms' opened no stream to '{domain}': {said}.") from error


async def _talk(target: Target, domain: str, frames: Sequence[str]) -> list[str]:
    # By asyncio, which has one thread: one that reads while another writes makes Python's TLS
    # forget what was to be sent, now and then, and then nobody answers.
    seconds = seconds_of(target)
    async with connect(
        f"wss://{target.domain}/xmpp-websocket",
        host=str(target.address),
        port=target.port,
        ssl=target.context(),
        proxy=None,
        subprotocols=[Subprotocol("xmpp")],
        close_timeout=1,
        open_timeout=3 * seconds,  # Prosody once took over 10 s, just after a crowd
    ) as link:

        async def hear() -> str:
            async with asyncio.timeout(seconds):
                return str(await link.recv())

        await link.send(f"<open xmlns='{FRAMING}' to='{domain}' version='1.0'/>")
        heard = [await hear(), await hear()]
        for frame in frames:
            await link.send(frame)
            heard.append(await hear())
        return heard
