"""One XMPP session over a WebSocket: login, requests, acknowledgements, pings, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from labctl.crowd.errors import CrowdError, StanzaError
from labctl.crowd.target import Target
from labctl.crowd.wire import Wire
from labctl.crowd.xml import (
    BIND,
    CLIENT,
    FRAMING,
    PING,
    SASL,
    SM,
    STREAM,
    Element,
    NotXml,
    child,
    element,
    error_of,
    local,
    parse_stanza,
)

PING_EVERY = 10.0
"""Seconds; nginx closes a WebSocket that is idle for 60, and Jitsi's client pings so."""
CLOSE_GRACE = 2.0
SEEN = 200  # characters of the last frame kept for error messages

_NONZAS = frozenset(
    [f"{{{FRAMING}}}open", f"{{{STREAM}}}features", f"{{{SASL}}}success", f"{{{SASL}}}failure"]
)
_R, _A, _ENABLED = f"{{{SM}}}r", f"{{{SM}}}a", f"{{{SM}}}enabled"
_IQ = f"{{{CLIENT}}}iq"
_STANZAS = frozenset([_IQ, f"{{{CLIENT}}}message", f"{{{CLIENT}}}presence"])
_AUTH = element("auth", {"mechanism": "ANONYMOUS"}, ns=SASL)
_BIND = element("bind", ns=BIND)
_ENABLE = element("enable", {"resume": "true"}, ns=SM)
_CLOSE = element("close", ns=FRAMING)
_PING = element("ping", ns=PING)
_ids = count(1)


class Stream:
    """A logged-in connection to one XMPP domain.

    `on_stanza` gets every message, presence and IQ request; `on_lost` is called once when the
    stream ends without `close` or `cut`.
    """

    __slots__ = (
        "_callbacks", "_domain", "_handled", "_lost", "_nonzas", "_on_lost", "_on_stanza",
        "_pending", "_ping_every", "_pings_open", "_sm", "_timer", "_waiting", "_wire", "jid",
        "last_seen",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        *,
        domain: str,
        query: str,
        on_stanza: Callable[[Element], None],
        on_lost: Callable[[str], None],
        ping_every: float = PING_EVERY,
    ) -> None:
        self._domain = domain
        self._on_stanza, self._on_lost = on_stanza, on_lost
        self._ping_every = ping_every
        self._wire = Wire(
            target, f"/xmpp-websocket?{query}", on_text=self._on_text, on_end=self._end
        )
        self._nonzas: list[Element] = []  # never more than two
        self._waiting: asyncio.Future[None] | None = None
        self._pending: dict[str, asyncio.Future[Element]] = {}
        self._callbacks: dict[str, Callable[[Element], None]] = {}
        self._lost: str | None = None
        self._sm = False
        self._handled = 0
        self._pings_open = 0
        self._timer: asyncio.TimerHandle | None = None
        self.jid: str | None = None
        self.last_seen = "nothing"

    async def connect(self) -> None:
        """Open TCP, TLS and WebSocket."""
        await self._wire.open()

    async def login(self) -> str:
        """SASL ANONYMOUS, bind, stream management; the full JID that the server gave."""
        await self._open()
        self._wire.send(_AUTH)
        answer = await self._nonza()
        if local(answer.tag) != "success":
            condition, words = error_of(answer)
            raise StanzaError(f"The login to '{self._domain}'", condition=condition, text=words)
        features = await self._open()
        answer = await self.request("set", _BIND, what="The resource binding")
        jid = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if not jid:
            raise CrowdError(f"'{self._domain}' bound no address.")
        self.jid = jid
        if child(features, SM, "sm") is not None:
            self._wire.send(_ENABLE)
        self._timer = asyncio.get_running_loop().call_later(self._ping_every, self._ping)
        return jid

    def send(self, stanza: str) -> None:
        """Send one stanza (text of one element in namespace jabber:client)."""
        self._wire.send(stanza)

    async def request(
        self, kind: str, payload: str, *, to: str | None = None, what: str = "The request"
    ) -> Element:
        """Send an IQ and wait for its result; StanzaError where it is refused.

        Waits as long as the stream lives: put it under the caller's deadline.
        """
        name = f"q{next(_ids)}"
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._check_alive()
        self._pending[name] = future
        try:
            self.send(element("iq", {"type": kind, "id": name, "to": to}, payload, ns=CLIENT))
            answer = await future
        finally:
            self._pending.pop(name, None)
        if answer.get("type") == "error":
            condition, words = error_of(answer)
            raise StanzaError(what, condition=condition, text=words)
        return answer

    def call(self, payload: str, *, to: str, on_answer: Callable[[Element], None]) -> None:
        """Send an IQ set; `on_answer` gets the result or error when it comes, if it comes."""
        if self._lost is not None:
            return
        name = f"q{next(_ids)}"
        self._callbacks[name] = on_answer
        self.send(element("iq", {"type": "set", "id": name, "to": to}, payload, ns=CLIENT))

    async def close(self) -> None:
        """End the stream in order: <close/>, close frame, TLS, TCP."""
        self._stop("left")
        await self._wire.close(grace=CLOSE_GRACE, last=_CLOSE)

    def cut(self) -> None:
        """Drop the connection without a word, as a pulled cable would."""
        self._stop("cut")
        self._wire.cut()

    # Login.

    async def _open(self) -> Element:
        self._wire.send(element("open", {"to": self._domain, "version": "1.0"}, ns=FRAMING))
        for expected in ("open", "features"):
            answer = await self._nonza()
            if local(answer.tag) != expected:
                raise CrowdError(
                    f"'{self._domain}' sent '{local(answer.tag)}' where '{expected}' was due."
                )
        return answer

    async def _nonza(self) -> Element:
        while not self._nonzas:
            self._check_alive()
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._nonzas.pop(0)

    # Incoming.

    def _on_text(self, frame: str) -> None:
        if self._lost is not None:
            return
        self.last_seen = frame[:SEEN]
        try:
            stanza = parse_stanza(frame)
        except NotXml as error:
            self._break(f"the server sent something that is not a stanza: {error}")
            return
        tag = stanza.tag
        if tag in _STANZAS:
            self._handled += self._sm
            self._on_stanza_in(stanza)
        elif tag in _NONZAS:
            self._nonzas.append(stanza)
            self._wake(None)
        elif tag == _R:
            self._wire.send(element("a", {"h": str(self._handled)}, ns=SM))
        elif tag == _ENABLED:
            self._sm, self._handled = True, 0
        elif tag == f"{{{STREAM}}}error":
            condition, words = error_of(stanza)
            self._break(f"stream error '{condition}'" + (f" ({words})" if words else ""))
        elif tag == f"{{{FRAMING}}}close":
            self._break("the server closed the stream")

    def _on_stanza_in(self, stanza: Element) -> None:
        if stanza.tag == _IQ and stanza.get("type") in ("result", "error"):
            self._on_answer(stanza.get("id", ""), stanza)
        else:
            self._on_stanza(stanza)

    def _on_answer(self, name: str, stanza: Element) -> None:
        future = self._pending.get(name)
        if name == "ping":
            self._pings_open = 0
        elif future is not None and not future.done():
            future.set_result(stanza)
        elif name in self._callbacks:
            self._callbacks.pop(name)(stanza)

    # Pings and the end.

    def _ping(self) -> None:
        if self._pings_open >= 2:
            waited = self._pings_open * self._ping_every
            self._break(f"no answer to pings for {waited:.0f} s")
            return
        self._pings_open += 1
        attributes = {"type": "get", "id": "ping", "to": self._domain}
        self.send(element("iq", attributes, _PING, ns=CLIENT))
        self._timer = asyncio.get_running_loop().call_later(self._ping_every, self._ping)

    def _break(self, reason: str) -> None:
        self._wire.cut()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if self._lost is None:
            self._stop(reason)
            self._on_lost(reason)

    def _stop(self, reason: str) -> None:
        """Nothing waits on this stream any more: everybody who did hears why."""
        if self._lost is not None:
            return
        self._lost = reason
        if self._timer is not None:
            self._timer.cancel()
        error = CrowdError(f"The stream to '{self._domain}' ended: {reason}.")
        self._wake(error)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)

    def _wake(self, error: CrowdError | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)

    def _check_alive(self) -> None:
        if self._lost is not None:
            raise CrowdError(f"The stream to '{self._domain}' ended: {self._lost}.")
