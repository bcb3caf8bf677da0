"""Somebody who is logged in without an account, and tries what participants must not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from labctl.crowd import CrowdError, StanzaError, Target
from labctl.crowd.stream import Stream
from labctl.crowd.sync import wait
from labctl.crowd.xml import CLIENT, MUC, PING, Element, element, error_of, local
from labctl.waiting import scaled

SECONDS = 10
T = TypeVar("T")
REGISTER = "jabber:iq:register"


class Stranger:
    """An anonymous XMPP session; each attempt gives the server's refusal, or what came of it."""

    def __init__(self, target: Target, *, vnode: str | None = None) -> None:
        self._presences: asyncio.Queue[Element] = asyncio.Queue()
        query = f"room=stranger&vnode={vnode}" if vnode else "room=stranger"
        self._domain = target.host(vnode)
        self._stream, self.jid = self._within(self._login(target, self._domain, query))

    def enter(self, room: str) -> str:
        """The error condition that a room answers, or 'joined'."""
        return self._within(self._enter(room))

    def ping(self, domain: str) -> str:
        """The error condition that comes back from a domain, or 'answered'."""
        return self._try("get", element("ping", ns=PING), domain, done="answered")

    def register(self, domain: str) -> str:
        """The error condition of an account's registration, or 'registered'."""
        fields = [element("username", None, "mallory"), element("password", None, "mallory")]
        query = element("query", None, *fields, ns=REGISTER)
        return self._try("set", query, domain, done="registered")

    def close(self) -> None:
        wait(self._stream.close())

    def _within(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return wait(asyncio.wait_for(work, scaled(SECONDS)))
        except TimeoutError:
            raise CrowdError(
                f"'{self._domain}' did not answer within {scaled(SECONDS):g} s."
            ) from None

    async def _login(self, target: Target, domain: str, query: str) -> tuple[Stream, str]:
        stream = Stream(
            target, domain=domain, query=query, on_stanza=self._take, on_lost=lambda reason: None
        )
        await stream.connect()
        return stream, await stream.login()

    async def _enter(self, room: str) -> str:
        to = f"{room}/stranger"
        self._stream.send(element("presence", {"to": to}, element("x", ns=MUC), ns=CLIENT))
        while True:
            stanza = await self._presences.get()
            if stanza.get("from") == to:
                return error_of(stanza)[0] if stanza.get("type") == "error" else "joined"

    def _try(self, kind: str, payload: str, domain: str, *, done: str) -> str:
        async def ask() -> str:
            try:
                await self._stream.request(kind, payload, to=domain)
            except StanzaError as error:
                return error.condition
            return done

        return self._within(ask())

    def _take(self, stanza: Element) -> None:
        if local(stanza.tag) == "presence":
            self._presences.put_nowait(stanza)


@contextmanager
def stranger_at(target: Target, *, vnode: str | None = None) -> Iterator[Stranger]:
    """A stranger who is logged in, and leaves at the end."""
    found = Stranger(target, vnode=vnode)
    try:
        yield found
    finally:
        found.close()
