"""A client that stays logged in: reconnects, resumes, answers IQs, hands stanzas to handlers."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from jitsilog import Journal
from sasl import SaslError
from smacks import StreamManagement
from stanzas import (
    CLIENT,
    DISCO_INFO,
    PING,
    SM,
    Element,
    bare,
    el,
    iq,
    iq_error,
    iq_result,
    local,
    normalise,
    render_xml,
)  # fmt: skip
from xmppstream import Account, StreamError, XmppStream

IqHandler = Callable[[Element, Element], Element | Awaitable[Element | None] | None]
StanzaHandler = Callable[[Element], None]
BROKEN = (OSError, ssl.SSLError, StreamError, SaslError, TimeoutError, ValueError, KeyError)


@dataclass(slots=True)
class Hooks:
    """What the owner of a connection is told; the log lines are the owner's, too."""

    connecting: Callable[[], None] = lambda: None
    authenticated: Callable[[bool], None] = lambda resumed: None
    disconnected: Callable[[], None] = lambda: None
    failed: Callable[[Exception], None] = lambda error: None


@dataclass(slots=True)
class Timing:
    """Seconds: retry before the first success and after it, IQ replies, pings (None: never)."""

    first_retry: float = 1.0
    later_retry: float = 2.0
    reply: float = 15.0
    ping: float | None = None


@dataclass(slots=True)
class Identity:
    """What disco#info answers."""

    category: str = "client"
    kind: str = "bot"
    name: str = ""
    features: list[str] = field(default_factory=list)


class XmppClient:
    """One account's connection.  `run` lives until `stop`."""

    def __init__(
        self,
        account: Account,
        journal: Journal,
        *,
        hooks: Hooks,
        timing: Timing,
        identity: Identity | None = None,
    ) -> None:
        self.account = account
        self.journal = journal
        self.hooks = hooks
        self.timing = timing
        self.identity = identity or Identity()
        self.jid = ""
        self.registered = False
        self.disconnects = 0
        self.sm = StreamManagement()
        self.stream: XmppStream | None = None
        self.iq_handlers: dict[str, IqHandler] = {}
        self.presence_handlers: dict[str, StanzaHandler] = {}
        self.message_handler: StanzaHandler = lambda stanza: None
        self._pending: dict[str, tuple[str, asyncio.Future[Element]]] = {}
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()

    def spawn(self, work: Awaitable[Any], *, where: str = "XmppClient.spawn#1") -> None:
        """Run `work` beside the reader; what it raises is logged."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.journal.severe(where, f"Unexpected: {error!r}", error)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Connect, serve, reconnect; returns after `stop`."""
        ever = False
        while not self._stopping.is_set():
            try:
                await self._serve_once()
                ever = True
                error: Exception | None = None
            except BROKEN as caught:
                error = caught
            was = self.registered
            self.registered = False
            if self._stopping.is_set():
                return
            if was:
                ever = True
                self.disconnects += 1
                self.hooks.disconnected()
            elif error is not None:
                self.hooks.failed(error)
            delay = self.timing.later_retry if ever else self.timing.first_retry
            try:
                await asyncio.wait_for(self._stopping.wait(), delay)
            except TimeoutError:
                continue

    async def _serve_once(self) -> None:
        self.hooks.connecting()
        stream = XmppStream(self.account, self.sm)
        self.stream = stream
        await stream.open(resume_jid=self.jid)
        self.jid = stream.jid
        self.registered = True
        if not stream.resumed:
            self.send(el(CLIENT, "presence"))
        pinger = asyncio.create_task(self._ping(stream)) if self.timing.ping else None
        try:
            self.hooks.authenticated(stream.resumed)
            while (stanza := await stream.read()) is not None:
                self._dispatch(stanza)
        finally:
            if pinger:
                pinger.cancel()
            stream.abort()

    async def _ping(self, stream: XmppStream) -> None:
        while True:
            await asyncio.sleep(self.timing.ping or 0)
            try:
                await self.ask(iq("get", self.account.domain, el(PING, "ping")))
            except TimeoutError:
                self.journal.warning("MucClient$1.pingFailed#388", "Ping failed, reconnecting.")
                stream.abort()
                return

    async def stop(self) -> None:
        """Say goodbye and never come back."""
        self._stopping.set()
        if self.stream is not None and self.registered:
            self.send(el(CLIENT, "presence", {"type": "unavailable"}))
            await self.stream.close()

    # -- sending -------------------------------------------------------------------------------

    def send(self, stanza: Element) -> None:
        """Send a stanza; while disconnected it waits for a resumption, or is dropped."""
        text = render_xml(stanza)
        ask = self.sm.sent(text)
        if self.registered and self.stream is not None:
            self.stream.write(text + f"<r xmlns='{SM}'/>" if ask else text)

    async def ask(self, request: Element, *, timeout: float | None = None) -> Element:
        """Send an IQ and give its result or error stanza; raises TimeoutError."""
        number = f"labctl-{next(self._ids)}"
        request.set("id", number)
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._pending[number] = (normalise(request.get("to", "")), future)
        try:
            self.send(request)
            return await asyncio.wait_for(future, timeout or self.timing.reply)
        finally:
            self._pending.pop(number, None)

    # -- receiving -----------------------------------------------------------------------------

    def _dispatch(self, stanza: Element) -> None:
        ns, name = stanza.tag[1:].split("}", 1)
        if ns == SM:
            self._management(stanza, name)
            return
        if ns != CLIENT:
            return
        self.sm.received += 1
        try:
            if name == "iq":
                self._iq(stanza)
            elif name == "presence":
                self._presence(stanza)
            elif name == "message":
                self.message_handler(stanza)
        except Exception as error:
            self.journal.severe(
                "XmppClient._dispatch#1", f"Failed to handle a {name}: {error!r}", error
            )

    def _management(self, stanza: Element, name: str) -> None:
        if name == "r" and self.stream is not None:
            self.stream.write(f"<a xmlns='{SM}' h='{self.sm.received}'/>")
        elif name == "a":
            self.sm.acknowledged(int(stanza.get("h", "0")))

    def _iq(self, stanza: Element) -> None:
        if stanza.get("type") in ("result", "error"):
            to, future = self._pending.get(stanza.get("id", ""), ("", None))
            sender = normalise(stanza.get("from", ""))
            own = ("", bare(self.jid), self.account.domain)
            if future is not None and not future.done() and (sender == to or sender in own):
                future.set_result(stanza)
            return
        child = stanza[0] if len(stanza) else None
        handler = self.iq_handlers.get(child.tag) if child is not None else None
        if child is None or handler is None:
            self.send(self._builtin(stanza, child))
            return
        answer = handler(stanza, child)
        if isinstance(answer, Element):
            self.send(answer)
        elif answer is not None:
            self.spawn(self._answer_later(answer))

    async def _answer_later(self, answer: Awaitable[Element | None]) -> None:
        stanza = await answer
        if stanza is not None:
            self.send(stanza)

    def _builtin(self, stanza: Element, child: Element | None) -> Element:
        if child is not None and child.tag == f"{{{PING}}}ping":
            return iq_result(stanza)
        if child is not None and child.tag == f"{{{DISCO_INFO}}}query":
            return iq_result(stanza, self._disco(child))
        return iq_error(stanza, "service-unavailable")

    def _disco(self, query: Element) -> Element:
        who = self.identity
        node = query.get("node")
        reply = el(DISCO_INFO, "query", {"node": node} if node else None)
        reply.append(
            el(
                DISCO_INFO,
                "identity",
                {"category": who.category, "type": who.kind, "name": who.name},
            )
        )
        for feature in (DISCO_INFO, PING, *who.features):
            reply.append(el(DISCO_INFO, "feature", {"var": feature}))
        return reply

    def _presence(self, stanza: Element) -> None:
        sender = stanza.get("from", "")
        handler = self.presence_handlers.get(normalise(bare(sender)))
        if handler is not None:
            handler(stanza)
        elif stanza.get("type") == "subscribe":
            self.send(el(CLIENT, "presence", {"type": "subscribed", "to": bare(sender)}))


def is_error(stanza: Element) -> bool:
    """Whether an IQ answer is an error."""
    return stanza.get("type") == "error"


def payload(stanza: Element) -> Element | None:
    """The first child of a stanza that is not its error."""
    return next((child for child in stanza if local(child) != "error"), None)
