"""A small XMPP client over WebSocket (RFC 7395) that keeps everything it receives."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import ssl
from collections.abc import Callable
from pathlib import Path

from lxml import etree
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

NS = {
    "c": "jabber:client",
    "muc": "http://jabber.org/protocol/muc",
    "user": "http://jabber.org/protocol/muc#user",
    "v": "jitsi:visitors",
    "disco": "http://jabber.org/protocol/disco#info",
    "focus": "http://jitsi.org/protocol/focus",
    "jitmeet": "http://jitsi.org/jitmeet",
    "nick": "http://jabber.org/protocol/nick",
    "display": "http://jitsi.org/protocol/display-name",
    "data": "jabber:x:data",
    "stanzas": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "addr": "http://jabber.org/protocol/address",
}
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
Element = etree._Element
Predicate = Callable[[Element], bool]
_ids = itertools.count(1)


def xpath(element: Element, path: str) -> list[Element]:
    return element.xpath(path, namespaces=NS)


def matching(path: str) -> Predicate:
    return lambda element: bool(xpath(element, path))


class Client:
    """One session; `jid` is its full address."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.jid = ""
        self.seen: list[Element] = []
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def login(
        cls, host: str, *, ca: Path, domain: str, to: str = "", vnode: str = "", more: str = "",
        user: str = "", password: str = "", resource: str = "",
    ) -> Client:  # fmt: skip
        """Through nginx at `host`, with the public name `domain`, to the virtual host `to`."""
        to = to or domain
        query = "room=x" + (f"&vnode={vnode}" if vnode else "") + more
        context = ssl.create_default_context(cafile=str(ca))
        socket = await connect(
            f"wss://{domain}/xmpp-websocket?{query}", host=host, ssl=context,
            subprotocols=["xmpp"], compression=None,
        )  # fmt: skip
        self = cls(socket)
        self._reader = asyncio.create_task(self._read())
        await self._open(to)
        if user:
            token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            await self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{token}</auth>")
        else:
            await self.send(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
        await self.until(lambda e: e.tag == f"{{{SASL}}}success", "login")
        await self._open(to)
        wish = f"<resource>{resource}</resource>" if resource else ""
        bound = await self.iq(
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{wish}</bind>", kind="set"
        )
        self.jid = bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid") or ""
        return self

    async def _open(self, to: str) -> None:
        count = sum(1 for e in self.seen if e.tag.endswith("}features"))
        await self.send(f"<open xmlns='{FRAMING}' to='{to}' version='1.0'/>")
        await self.until(
            lambda _: sum(1 for e in self.seen if e.tag.endswith("}features")) > count, "features"
        )

    async def _read(self) -> None:
        # A killed server says no goodbye.
        with contextlib.suppress(ConnectionClosedError):
            async for text in self._socket:
                # Prosody's stream errors use a prefix that it does not declare on a WebSocket.
                data = text.encode() if isinstance(text, str) else text
                element = etree.fromstring(data, etree.XMLParser(recover=True))
                async with self._news:
                    self.seen.append(element)
                    self._news.notify_all()

    async def send(self, text: str) -> None:
        await self._socket.send(text)

    async def until(self, wanted: Predicate, what: str, *, seconds: float = 10, start: int = 0):  # type: ignore[no-untyped-def]
        """The first element seen from index `start` on that is wanted."""

        def found() -> Element | None:
            return next((e for e in self.seen[start:] if wanted(e)), None)

        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(lambda: found() is not None)
            except TimeoutError:
                last = [etree.tostring(e).decode() for e in self.seen[-5:]]
                raise AssertionError(f"{self.jid} did not see {what}; last: {last}") from None
        return found()

    async def iq(self, payload: str, *, kind: str = "get", to: str = "", seconds: float = 10):  # type: ignore[no-untyped-def]
        """The answer, result or error."""
        number = f"q{next(_ids)}"
        address = f" to='{to}'" if to else ""
        await self.send(
            f"<iq xmlns='jabber:client' type='{kind}' id='{number}'{address}>{payload}</iq>"
        )
        return await self.until(
            lambda e: e.tag == "{jabber:client}iq" and e.get("id") == number
            and e.get("type") in ("result", "error"), f"the answer to {payload}", seconds=seconds
        )  # fmt: skip

    async def presence(self, to: str, inner: str = "", kind: str = "") -> None:
        attr = f" type='{kind}'" if kind else ""
        await self.send(f"<presence xmlns='jabber:client' to='{to}'{attr}>{inner}</presence>")

    async def join(self, room: str, nick: str, *, wait: bool = True) -> None:
        inner = (
            "<x xmlns='http://jabber.org/protocol/muc'/>"
            f"<nick xmlns='http://jabber.org/protocol/nick'>{nick.upper()}</nick>"
        )
        await self.presence(f"{room}/{nick}", inner)
        if wait:
            await self.joined(room)

    async def joined(self, room: str, *, seconds: float = 10):  # type: ignore[no-untyped-def]
        return await self.until(
            lambda e: e.tag == "{jabber:client}presence"
            and (e.get("from") or "").startswith(f"{room}/")
            and bool(xpath(e, "user:x/user:status[@code='110']")), f"itself in {room}",
            seconds=seconds,
        )  # fmt: skip

    async def say(self, room: str, text: str, number: str) -> None:
        await self.send(
            f"<message xmlns='jabber:client' to='{room}' type='groupchat' id='{number}'>"
            f"<body>{text}</body></message>"
        )

    def occupants(self, room: str) -> dict[str, str]:
        """Nick -> role of everybody whose presence was seen and who has not left."""
        there: dict[str, str] = {}
        for e in self.seen:
            sender = e.get("from") or ""
            if e.tag != "{jabber:client}presence" or not sender.startswith(f"{room}/"):
                continue
            nick = sender.split("/", 1)[1]
            if e.get("type") == "unavailable":
                there.pop(nick, None)
            elif item := xpath(e, "user:x/user:item"):
                there[nick] = item[0].get("role") or ""
        return there

    async def settle(self, seconds: float = 0.5) -> None:
        """Waits until nothing has arrived for so long; for proving that nothing comes."""
        count = -1
        while count != len(self.seen):
            count = len(self.seen)
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._socket.close()
        if self._reader:
            await self._reader
