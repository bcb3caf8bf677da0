"""Somebody who is logged in without an account, and sends what no ordinary client would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

from labctl.crowd import CrowdError, StanzaError, Target
from labctl.crowd.caps import PLAIN
from labctl.crowd.conference import Answer, parse_answer, render_request
from labctl.crowd.door import Door
from labctl.crowd.stream import Stream
from labctl.crowd.sync import wait
from labctl.crowd.xml import (
    CLIENT,
    DISCO_INFO,
    JITMEET,
    MUC,
    NICK,
    PING,
    Element,
    child,
    element,
    error_of,
    local,
    text,
)

SECONDS = 10
T = TypeVar("T")
REGISTER = "jabber:iq:register"


class Stranger:
    """An anonymous XMPP session; each attempt gives the server's refusal, or what came of it."""

    def __init__(
        self,
        target: Target,
        *,
        vnode: str | None = None,
        room: str = "stranger",
        seconds: float = SECONDS,
    ) -> None:
        self._heard: list[Element] = []
        self._news = asyncio.Condition()
        app = target.admission.app
        query = {"room": room} | ({"vnode": vnode} if vnode else {})
        query |= {"token": app.token()} if app is not None and vnode is None else {}
        self._target, self._room = target, room
        self._domain = target.host(vnode) if vnode else target.guests
        self._seconds = target.patience.scaled(seconds)
        self.lost = ""
        """Why the stream ended, where the server ended it."""
        self._stream, self.jid = self._within(self._login(target, self._domain, query))

    def enter(self, room: str, *, nick: str = "stranger", name: str = "") -> str:
        """The error condition that a room answers, or 'joined'."""
        answer = self.knock(room, nick=nick, name=name)
        return error_of(answer)[0] if answer.get("type") == "error" else "joined"

    def knock(
        self, room: str, *, nick: str = "stranger", name: str = "", payload: str = ""
    ) -> Element:
        """The room's own answer to a presence: one's own presence, or the error."""
        to, seen = f"{room}/{nick}", len(self._heard)
        named = element("nick", None, text(name), ns=NICK) if name else ""
        join = element("x", ns=MUC)
        self.send(element("presence", {"to": to}, join, PLAIN.element, named, payload, ns=CLIENT))
        return self.wait_for(
            lambda stanza: local(stanza.tag) == "presence" and stanza.get("from") == to, after=seen
        )

    def leave(self, room: str, *, nick: str = "stranger", status: str = "") -> None:
        """Leave a room, with a status where there is one."""
        words = element("status", None, text(status)) if status else ""
        attributes = {"to": f"{room}/{nick}", "type": "unavailable"}
        self.send(element("presence", attributes, words, ns=CLIENT))

    def ping(self, domain: str) -> str:
        """The error condition that comes back from a domain, or 'answered'."""
        return self.attempt("get", element("ping", ns=PING), to=domain, done="answered")

    def register(self, domain: str) -> str:
        """The error condition of an account's registration, or 'registered'."""
        fields = [element("username", None, "mallory"), element("password", None, "mallory")]
        query = element("query", None, *fields, ns=REGISTER)
        return self.attempt("set", query, to=domain, done="registered")

    def components(self, domain: str) -> set[tuple[str, str]]:
        """Type and address of the components that a domain announces."""

        async def ask() -> Element:
            return await self._stream.request("get", element("query", ns=DISCO_INFO), to=domain)

        found = self._within(ask()).iter(f"{{{DISCO_INFO}}}identity")
        return {
            (it.get("type", ""), it.get("name", ""))
            for it in found
            if it.get("category") == "component"
        }

    def attempt(self, kind: str, payload: str, *, to: str, done: str = "done") -> str:
        """The error condition that an IQ brings, or `done`."""

        async def ask() -> str:
            try:
                await self._stream.request(kind, payload, to=to)
            except StanzaError as error:
                return error.condition
            return done

        return self._within(ask())

    def request_conference(self, room_jid: str, *, visitor: bool = False) -> Answer:
        """What Jicofo answers to a conference request."""
        payload = render_request(room_jid=room_jid, machine="0" * 32, want_visitor=visitor)
        return parse_answer(
            self._within(self._stream.request("set", payload, to=self._target.focus))
        )

    def send(self, stanza: str) -> None:
        """Send a stanza as it is."""

        async def send() -> None:
            self._stream.send(stanza)

        wait(send())

    def tell(self, to: str, payload: str, *, kind: str | None = None) -> None:
        """Send a message with this payload."""
        self.send(element("message", {"to": to, "type": kind}, payload, ns=CLIENT))

    @property
    def mark(self) -> int:
        """A place in what was heard, for `wait_for`."""
        return len(self._heard)

    def heard(self, *, after: int = 0) -> list[Element]:
        """Presences and messages that came after this place."""
        return self._heard[after:]

    def wait_for(
        self, fits: Callable[[Element], bool], *, after: int = 0, seconds: float | None = None
    ) -> Element:
        """The first presence or message after this place that fits."""

        async def look() -> Element:
            while True:
                for stanza in self._heard[after:]:
                    if fits(stanza):
                        return stanza
                async with self._news:
                    await self._news.wait()

        return self._within(look(), seconds=seconds)

    def wait_note(self, fits: Callable[[str], bool], *, after: int = 0) -> str:
        """The first JSON message after this place whose text fits."""
        return note_of(self.wait_for(lambda stanza: fits(note_of(stanza)), after=after))

    def wait_lost(self) -> str:
        """Wait until the server has ended the stream; why."""

        async def look() -> str:
            while not self.lost:
                async with self._news:
                    await self._news.wait()
            return self.lost

        return self._within(look())

    def close(self) -> None:
        wait(self._stream.close())

    def _within(self, work: Coroutine[Any, Any, T], *, seconds: float | None = None) -> T:
        limit = self._seconds if seconds is None else self._target.patience.scaled(seconds)
        try:
            return wait(asyncio.wait_for(work, limit))
        except TimeoutError:
            raise CrowdError(f"'{self._domain}' did not answer within {limit:g} s.") from None

    async def _login(
        self, target: Target, domain: str, query: dict[str, str]
    ) -> tuple[Stream, str]:
        stream = Stream(
            target,
            domain=domain,
            door=Door(urlencode(query)),
            on_stanza=self._take,
            on_lost=self._lose,
        )
        await stream.connect()
        return stream, await stream.login()

    def _take(self, stanza: Element) -> None:
        if local(stanza.tag) == "iq":
            self._answer(stanza)
            return
        self._heard.append(stanza)
        self._tell()

    def _answer(self, request: Element) -> None:
        """As a client does: Jicofo waits 15 s for what it asks."""
        query = child(request, DISCO_INFO, "query")
        info = PLAIN.render_disco_info(query.get("node")) if query is not None else ""
        attributes = {"type": "result", "id": request.get("id"), "to": request.get("from")}
        self._stream.send(element("iq", attributes, info, ns=CLIENT))

    def _lose(self, reason: str) -> None:
        self.lost = reason
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        self._telling = asyncio.get_running_loop().create_task(tell())


def note_of(stanza: Element) -> str:
    """The JSON text of a message; empty where it has none."""
    note = child(stanza, JITMEET, "json-message")
    return (note.text or "") if note is not None else ""


@contextmanager
def stranger_at(
    target: Target, *, vnode: str | None = None, room: str = "stranger"
) -> Iterator[Stranger]:
    """A stranger who is logged in, and leaves at the end."""
    found = Stranger(target, vnode=vnode, room=room)
    try:
        yield found
    finally:
        found.close()
