"""One XMPP session over a WebSocket or BOSH: login, requests, acknowledgements, pings, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from labctl.crowd.admission import Account
from labctl.crowd.door import Carrier, Door, Line, Unacked, carrier
from labctl.crowd.errors import CrowdError, StanzaError
from labctl.crowd.nonzas import AWAITED, Nonzas
from labctl.crowd.target import Target
from labctl.crowd.xml import (
    BIND,
    CLIENT,
    FRAMING,
    PING,
    SASL,
    SM,
    STREAM,
    Element,
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

_R, _A, _ENABLED, _FAILED = (f"{{{SM}}}{name}" for name in ("r", "a", "enabled", "failed"))
_IQ = f"{{{CLIENT}}}iq"
_STANZAS = frozenset([_IQ, f"{{{CLIENT}}}message", f"{{{CLIENT}}}presence"])
_AUTH = element("auth", {"mechanism": "ANONYMOUS"}, ns=SASL)
_BIND = element("bind", ns=BIND)
_ENABLE = element("enable", {"resume": "true"}, ns=SM)
_REQUEST = element("r", ns=SM)
_CLOSE = element("close", ns=FRAMING)
_PING = element("ping", ns=PING)
_ids = count(1)


class Stream:
    """A logged-in connection to one XMPP domain.

    `on_stanza` gets every message, presence and IQ request; `on_lost` is called once when the
    stream ends without `close` or `cut`.  A `lasting` stream can be resumed (XEP-0198) after
    `drop`: it keeps what the server has not said to have got, and asks for that.
    """

    __slots__ = (
        "_account", "_callbacks", "_domain", "_door", "_handled", "_keeping", "_lasting", "_lost",
        "_nonzas", "_on_lost", "_on_stanza", "_pending", "_ping_every", "_pings_open", "_previd",
        "_sm", "_target", "_timer", "_unacked", "_wire", "jid", "last_seen",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        *,
        domain: str,
        door: Door,
        lasting: bool = False,
        on_stanza: Callable[[Element], None],
        on_lost: Callable[[str], None],
        ping_every: float = PING_EVERY,
    ) -> None:
        self._target, self._domain, self._door = target, domain, door
        self._account: Account | None = None
        self._on_stanza, self._on_lost = on_stanza, on_lost
        self._lasting, self._ping_every = lasting, ping_every
        self._previd: str | None = None
        self._unacked, self._keeping = Unacked(), False
        self._wire = self._carrier()
        self._nonzas = Nonzas()
        self._pending: dict[str, asyncio.Future[Element]] = {}
        self._callbacks: dict[str, Callable[[Element], None]] = {}
        self._lost: str | None = None
        self._sm, self._handled, self._pings_open = False, 0, 0
        self._timer: asyncio.TimerHandle | None = None
        self.jid: str | None = None
        self.last_seen = "nothing"

    def _carrier(self) -> Carrier:
        path = self._door.address(self._previd)
        return carrier(self._door.line, self._target, path, on_text=self._on_text, on_end=self._end)

    async def connect(self) -> None:
        """Open TCP and TLS, and the WebSocket if it is one."""
        await self._wire.open()

    async def login(self, account: Account | None = None) -> str:
        """SASL (ANONYMOUS without an account), bind, stream management; the full JID that the
        server gave."""
        self._account = account
        features = await self._authenticate()
        answer = await self.request("set", _BIND, what="The resource binding")
        jid = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if not jid:
            raise CrowdError(f"'{self._domain}' bound no address.")
        self.jid = jid
        if self._door.line is Line.WEBSOCKET and child(features, SM, "sm") is not None:
            self._wire.send(_ENABLE)
            # The server counts from here on, whenever it says so.
            self._keeping = self._lasting
        self._timer = asyncio.get_running_loop().call_later(self._ping_every, self._ping)
        return jid

    def send(self, stanza: str) -> None:
        """Send one stanza (text of one element in namespace jabber:client)."""
        self._wire.send(stanza)
        if self._keeping and self._unacked.add(stanza):
            self._wire.send(_REQUEST)

    def drop(self) -> None:
        """Lose the connection, as in a tunnel: the session is to be resumed."""
        if self._timer is not None:
            self._timer.cancel()
        self._wire.cut()

    async def resume(self) -> None:
        """Take up the session on a new connection (docs/facts/client.md, 9).

        Errors: StanzaError where the server has forgotten it, CrowdError where it cannot be asked.
        """
        self._check_alive()
        if self._previd is None:
            raise CrowdError(f"'{self._domain}' has offered no resumption of this stream.")
        self._nonzas.clear()
        self._wire = self._carrier()
        await self._wire.open()
        await self._authenticate()
        words = {"previd": self._previd, "h": str(self._handled)}
        self._wire.send(element("resume", words, ns=SM))
        answer = await self._nonza()
        if local(answer.tag) != "resumed":
            condition, text = error_of(answer)
            raise StanzaError("The resumption", condition=condition, text=text)
        self._unacked.forget(int(answer.get("h", "0")))
        for stanza in self._unacked:
            self._wire.send(stanza)
        self._pings_open = 0
        self._ping()

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

    def call(
        self, payload: str, *, to: str, on_answer: Callable[[Element], None], kind: str = "set"
    ) -> None:
        """Send an IQ; `on_answer` gets the result or error when it comes, if it comes."""
        if self._lost is not None:
            return
        name = f"q{next(_ids)}"
        self._callbacks[name] = on_answer
        self.send(element("iq", {"type": kind, "id": name, "to": to}, payload, ns=CLIENT))

    async def close(self) -> None:
        """End the stream in order: <close/>, close frame, TLS, TCP."""
        self._stop("left")
        await self._wire.close(grace=CLOSE_GRACE, last=_CLOSE)

    def cut(self) -> None:
        """Drop the connection without a word, as a pulled cable would."""
        self._stop("cut")
        self._wire.cut()

    # Login.

    async def _authenticate(self) -> Element:
        """SASL on a fresh connection; the features of the stream after it."""
        await self._open()
        self._wire.send(self._account.auth if self._account is not None else _AUTH)
        answer = await self._nonza()
        if local(answer.tag) != "success":
            condition, words = error_of(answer)
            raise StanzaError(f"The login to '{self._domain}'", condition=condition, text=words)
        return await self._open()

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
        self._check_alive()
        return await self._nonzas.next()

    # Incoming.

    def _on_text(self, frame: str) -> None:
        if self._lost is not None:
            return
        self.last_seen = frame[:SEEN]
        try:
            self._take(parse_stanza(frame))
        except (ValueError, KeyError, IndexError, TypeError) as error:  # NotXml is one
            self._break(f"the server sent something that is not a stanza: {error}")

    def _take(self, stanza: Element) -> None:
        tag = stanza.tag
        if tag in _STANZAS:
            self._handled += self._sm
            self._on_stanza_in(stanza)
        elif tag in AWAITED:
            self._nonzas.add(stanza)
        elif tag == _R:
            self._wire.send(element("a", {"h": str(self._handled)}, ns=SM))
        elif tag == _A:
            self._unacked.forget(int(stanza.get("h", "0")))
        elif tag == _ENABLED:
            self._sm, self._handled = True, 0
            self._previd = stanza.get("id") if stanza.get("resume") in ("true", "1") else None
        elif tag == _FAILED and self._previd is not None:
            self._nonzas.add(stanza)
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
            self._break(f"no answer to pings for {self._pings_open * self._ping_every:.0f} s")
            return
        self._pings_open += 1
        self.send(
            element("iq", {"type": "get", "id": "ping", "to": self._domain}, _PING, ns=CLIENT)
        )
        self._timer = asyncio.get_running_loop().call_later(self._ping_every, self._ping)

    def _break(self, reason: str) -> None:
        self._wire.cut()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if self._lost is None:
            self._stop(reason)
            self._on_lost(reason)

    def _stop(self, reason: str) -> None:
        """End all waiting on this stream: everybody who waits is told why."""
        if self._lost is not None:
            return
        self._lost = reason
        if self._timer is not None:
            self._timer.cancel()
        error = CrowdError(f"The stream to '{self._domain}' ended: {reason}.")
        self._nonzas.fail(error)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)

    def _check_alive(self) -> None:
        if self._lost is not None:
            raise CrowdError(f"The stream to '{self._domain}' ended: {self._lost}.")
