"""BOSH (XEP-0124, XEP-0206) in place of a WebSocket: what a network without WebSockets leaves.

It takes and gives frames of RFC 7395, as `labctl.crowd.wire` does, so that a stream is the same on
both: <open/> begins the session or the stream anew, <close/> ends it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from xml.etree import ElementTree

from labctl.crowd.errors import CrowdError
from labctl.crowd.http import HttpLine
from labctl.crowd.target import Target
from labctl.crowd.xml import FRAMING, STREAM, NotXml, element, local, parse_stanza

HTTP_BIND = "http://jabber.org/protocol/httpbind"
XBOSH = "urn:xmpp:xbosh"
KIND = "text/xml; charset=utf-8"
WAIT = 60
"""Seconds for which the server holds a request without an answer; Jitsi's client says so too."""
AT_ONCE = 2
_OPENED = element("open", ns=FRAMING)
_FEATURES = f"{{{STREAM}}}features"


class Bosh:
    """One BOSH session."""

    __slots__ = (
        "_answers", "_closed", "_domain", "_ended", "_flying", "_free", "_lines", "_next",
        "_on_end", "_on_text", "_outbox", "_path", "_rid", "_sid", "_target",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        path: str,
        *,
        on_text: Callable[[str], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._target, self._path = target, path
        self._on_text, self._on_end = on_text, on_end
        self._lines = tuple(HttpLine(target) for _ in range(AT_ONCE))
        self._free = list(reversed(self._lines))
        self._rid = self._next = secrets.randbelow(2**32)
        self._sid: str | None = None
        self._domain = ""
        self._outbox: list[str] = []
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._answers: dict[int, bytes] = {}
        self._ended = False
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Open TCP and TLS; CrowdError says why that failed."""
        await self._lines[0].connect()

    def send(self, text: str) -> None:
        """Send one frame; silently nothing on a session that has ended."""
        if not self._ended:
            self._outbox.append(text)
            self._fly()

    async def close(self, *, grace: float, last: str = "") -> None:
        """End the session in order; after `grace` seconds cut it."""
        if not self._ended and self._sid is not None:
            self._outbox.append(last or element("close", ns=FRAMING))
            self._fly()
            self._ended = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), grace)
        self.cut()

    def cut(self) -> None:
        """Drop the connections without a word."""
        self._ended = True
        self._closed.set()
        self._outbox.clear()
        for task in self._flying.values():
            task.cancel()
        self._flying.clear()
        for line in self._lines:
            line.cut()

    # Requests.

    def _fly(self) -> None:
        """Send what waits; one request is always under way, so that the server can answer."""
        while self._free and (self._outbox or not (self._flying or self._ended)):
            if self._sid is None and (self._flying or not self._outbox):
                return  # the session begins with one request, and its answer
            line, rid, body = self._free.pop(), self._rid, self._body()
            self._rid += 1
            work = self._exchange(line, rid, body)
            self._flying[rid] = asyncio.get_running_loop().create_task(work)

    def _body(self) -> str:
        """The next request: all stanzas that wait, or a frame about the session alone."""
        attributes: dict[str, str | None] = {"rid": str(self._rid), "sid": self._sid}
        if not self._outbox:
            return element("body", attributes, ns=HTTP_BIND)
        first = self._outbox[0]
        if first.startswith("<open"):
            self._outbox.pop(0)
            self._domain = parse_stanza(first).get("to", "")
            more = {"to": self._domain, "xml:lang": "en", "xmlns:xmpp": XBOSH}
            if self._sid is None:
                more |= {"ver": "1.6", "wait": str(WAIT), "hold": "1", "xmpp:version": "1.0"}
            else:
                more |= {"xmpp:restart": "true"}
            return element("body", attributes | more, ns=HTTP_BIND)
        stanzas, self._outbox = self._outbox, []
        for index, text in enumerate(stanzas):
            if text.startswith("<open"):
                stanzas, self._outbox = stanzas[:index], stanzas[index:]
                break
        if stanzas[-1].startswith("<close"):
            attributes["type"] = "terminate"
            stanzas.pop()
        return element("body", attributes, *stanzas, ns=HTTP_BIND)

    async def _exchange(self, line: HttpLine, rid: int, body: str) -> None:
        try:
            answer = await line.post(self._path, body.encode(), kind=KIND)
        except CrowdError as error:
            self._end(error.message.rstrip("."))
            return
        self._free.append(line)
        if answer.status != 200:
            self._end(f"BOSH was answered with HTTP {answer.status}")
            return
        self._answers[rid] = answer.body
        while self._next in self._answers:  # in the order of requests (XEP-0124, 14)
            self._flying.pop(self._next, None)
            self._next += 1
            self._take(self._answers.pop(self._next - 1))
        self._fly()

    # Answers.

    def _take(self, data: bytes) -> None:
        try:
            body = parse_stanza(data.decode())
        except (NotXml, UnicodeDecodeError) as error:
            self._end(f"BOSH was answered with what is not XML: {error}")
            return
        self._sid = body.get("sid") or self._sid
        for child in body:
            if self._closed.is_set():
                return
            if child.tag == _FEATURES:
                self._on_text(_OPENED)
            self._on_text(ElementTree.tostring(child, encoding="unicode"))
        if body.get("type") == "terminate":
            condition = body.get("condition") or "no reason given"
            self._end(f"the server ended the BOSH session: {condition}")
        elif local(body.tag) != "body":
            self._end(f"BOSH was answered with '{local(body.tag)}'")

    def _end(self, reason: str) -> None:
        told = self._ended
        self.cut()
        if not told:
            self._on_end(reason)
