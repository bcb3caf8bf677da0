"""The brewery from inside: who logs in as the bridges do can ask each of them by its nick."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Self

from labctl.crowd.admission import Account
from labctl.crowd.door import Door
from labctl.crowd.errors import CrowdError
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import CLIENT, MUC, Element, element, local

BRIDGES = "jvb"
"""The account that all bridges share; nicks tell them apart."""
ENTER_SECONDS = 10.0


class Brewery:
    """An occupant of the brewery without statistics: Jicofo takes it for no bridge.

    It comes by the participants' door, logged in with the bridges' account.
    """

    def __init__(self, target: Target, account: Account) -> None:
        self._target, self._account = target, account
        self._room = f"jvbbrewery@internal.auth.{target.domain}"
        self._nick = f"labctl-{secrets.token_hex(4)}"
        self._lost = ""
        self._inside = asyncio.Event()
        self._stream = Stream(
            target,
            domain=f"auth.{target.domain}",
            door=Door("room=jvbbrewery"),
            on_stanza=self._take,
            on_lost=self._lose,
        )
        self.nicks: set[str] = set()
        """Who else is there now: the bridges, and Jicofo as 'focus'."""

    async def __aenter__(self) -> Self:
        within = self._target.patience.scaled(ENTER_SECONDS)
        try:
            async with asyncio.timeout(within):
                await self._stream.connect()
                await self._stream.login(self._account)
                to = {"to": f"{self._room}/{self._nick}"}
                self._stream.send(element("presence", to, element("x", ns=MUC), ns=CLIENT))
                await self._inside.wait()
        except TimeoutError:
            self._stream.cut()
            raise CrowdError(f"The brewery could not be joined within {within:g} s.") from None
        except BaseException:
            self._stream.cut()
            raise
        if self._lost:
            raise CrowdError(f"The brewery could not be joined: {self._lost}.")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stream.close()

    async def ask(self, nick: str, payload: str) -> Element:
        """What a bridge answers to an IQ, its errors too; put it under a deadline."""
        answer: asyncio.Future[Element] = asyncio.get_running_loop().create_future()

        def take(iq: Element) -> None:
            if not answer.done():
                answer.set_result(iq)

        self._call(nick, payload, take)
        return await answer

    def tell(self, nick: str, payload: str) -> None:
        """Send an IQ to a bridge; whether it answers is of no interest."""
        self._call(nick, payload, lambda iq: None)

    def _call(self, nick: str, payload: str, take: Callable[[Element], None]) -> None:
        """Of type get: that is what Jicofo's are, and what bridges expect."""
        self._stream.call(payload, to=f"{self._room}/{nick}", on_answer=take, kind="get")

    def _take(self, stanza: Element) -> None:
        room, _, nick = stanza.get("from", "").partition("/")
        if local(stanza.tag) != "presence" or room != self._room:
            return
        kind = stanza.get("type")
        if nick == self._nick:
            self._lost = "it refuses" if kind == "error" else self._lost
            self._inside.set()  # a room sends one's own presence last (XEP-0045, 7.2.2)
        elif kind == "unavailable":
            self.nicks.discard(nick)
        else:
            self.nicks.add(nick)

    def _lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._inside.set()
