"""An occupant of a MUC room (XEP-0045): joining, presence, configuration, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stanzas import (
    CLIENT,
    DATA,
    MUC,
    MUC_ADMIN,
    MUC_OWNER,
    MUC_USER,
    Element,
    bare,
    el,
    find,
    find_all,
    iq,
    normalise,
    parse_error,
    resource,
)  # fmt: skip
from xmppclient import XmppClient, is_error

JOIN_TIMEOUT = 15.0


class MucError(Exception):
    """The room refused something."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """What `muc#user` says about an occupant; `jid` only where real JIDs are shown."""

    nick: str
    jid: str | None
    affiliation: str
    role: str
    codes: frozenset[str]


def parse_occupant(presence: Element) -> Occupant | None:
    """The occupant that a presence tells about; None when it is not a MUC presence."""
    user = find(presence, MUC_USER, "x")
    item = find(user, MUC_USER, "item") if user is not None else None
    if user is None or item is None:
        return None
    return Occupant(
        nick=resource(presence.get("from", "")),
        jid=item.get("jid"),
        affiliation=item.get("affiliation", "none"),
        role=item.get("role", "none"),
        codes=frozenset(status.get("code", "") for status in find_all(user, MUC_USER, "status")),
    )


class MucRoom:
    """Our own occupancy of `room` (bare JID) as `nick`.

    `listener` gets the others' presence; `removed` is called when the room was destroyed.
    """

    def __init__(
        self,
        client: XmppClient,
        room: str,
        nick: str,
        *,
        listener: Callable[[Occupant, Element], None],
        removed: Callable[[], None] = lambda: None,
    ) -> None:
        self.client = client
        self.room = normalise(bare(room))
        self.nick = nick
        self.joined = False
        self.own: Occupant | None = None
        self._listener = listener
        self._removed = removed
        self._children: Sequence[Element] = ()
        self._before: Callable[[Element], None] | None = None
        self._waiting: asyncio.Future[Occupant] | None = None
        self._leaving: asyncio.Future[None] | None = None

    @property
    def occupant_jid(self) -> str:
        """Our own occupant JID."""
        return f"{self.room}/{self.nick}"

    async def join(self) -> Occupant:
        """Enter and give our own occupant; raises MucError or TimeoutError after 15 s."""
        self._before = self.client.presence_handlers.get(self.room)
        self.client.presence_handlers[self.room] = self._presence
        self._waiting = asyncio.get_running_loop().create_future()
        self.client.send(self._stanza(el(MUC, "x")))
        try:
            return await asyncio.wait_for(self._waiting, JOIN_TIMEOUT)
        except (MucError, TimeoutError):
            self.client.presence_handlers.pop(self.room, None)
            raise
        finally:
            self._waiting = None

    def set_presence(self, children: Sequence[Element], *, send: bool = True) -> None:
        """What our presence carries from now on; sent at once when we are in the room."""
        self._children = children
        if send and self.joined:
            self.client.send(self._stanza())

    def _stanza(self, *extra: Element) -> Element:
        return el(CLIENT, "presence", {"to": self.occupant_jid}, *extra, *self._children)

    async def leave(self) -> None:
        """Leave and wait for the room's answer; raises TimeoutError after 15 s."""
        if not self.joined:
            self.client.presence_handlers.pop(self.room, None)
            return
        self._leaving = asyncio.get_running_loop().create_future()
        self.client.send(el(CLIENT, "presence", {"to": self.occupant_jid, "type": "unavailable"}))
        try:
            await asyncio.wait_for(self._leaving, JOIN_TIMEOUT)
        finally:
            self.forget()

    def forget(self) -> None:
        """Stop listening without telling the room."""
        self.joined = False
        self._leaving = None
        if self.client.presence_handlers.get(self.room) == self._presence:
            del self.client.presence_handlers[self.room]

    def _presence(self, stanza: Element) -> None:
        if stanza.get("type") == "error":
            if self._waiting is not None and not self._waiting.done():
                condition, text = parse_error(stanza)
                self._waiting.set_exception(MucError(f"{condition} {text}".strip()))
            return
        occupant = parse_occupant(stanza)
        if occupant is None:
            return
        if "110" in occupant.codes or occupant.nick == self.nick:
            self._own_presence(stanza, occupant)
        else:
            self._listener(occupant, stanza)

    def _own_presence(self, stanza: Element, occupant: Occupant) -> None:
        if stanza.get("type") == "unavailable" and not self.joined and self._before:
            # Who was in the room before us is just leaving it, and waits for this very answer.
            before, self._before = self._before, None
            before(stanza)
            return
        self.own = occupant
        if stanza.get("type") == "unavailable":
            was, self.joined = self.joined, False
            if self._leaving is not None and not self._leaving.done():
                self._leaving.set_result(None)
            elif was and _destroyed(stanza):
                # Only a destroyed room counts, as for the originals: a room that a server closes
                # while it stops (status 332) is taken for one that will be there again.
                self._removed()
            return
        self.joined = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(occupant)

    async def configuration(self) -> dict[str, str]:
        """The owner's configuration form: first value of every field."""
        answer = await self.client.ask(iq("get", self.room, el(MUC_OWNER, "query")))
        if is_error(answer):
            raise MucError(" ".join(parse_error(answer)).strip())
        fields = answer.iterfind(f"{{{MUC_OWNER}}}query/{{{DATA}}}x/{{{DATA}}}field")
        return {item.get("var", ""): item.findtext(f"{{{DATA}}}value") or "" for item in fields}

    async def configure(self, **values: str) -> None:
        """Submit the owner's form with these `muc#roomconfig_` fields."""
        form = el(DATA, "x", {"type": "submit"}, _field("FORM_TYPE", MUC + "#roomconfig"))
        form.extend(_field("muc#roomconfig_" + name, value) for name, value in values.items())
        answer = await self.client.ask(iq("set", self.room, el(MUC_OWNER, "query", None, form)))
        if is_error(answer):
            raise MucError(" ".join(parse_error(answer)).strip())

    async def grant_owner(self, jid: str) -> None:
        """Make the account `jid` an owner of the room."""
        item = el(MUC_ADMIN, "item", {"affiliation": "owner", "jid": bare(jid)})
        answer = await self.client.ask(iq("set", self.room, el(MUC_ADMIN, "query", None, item)))
        if is_error(answer):
            raise MucError(" ".join(parse_error(answer)).strip())


def _destroyed(presence: Element) -> bool:
    user = find(presence, MUC_USER, "x")
    return user is not None and find(user, MUC_USER, "destroy") is not None


def _field(var: str, value: str) -> Element:
    return el(DATA, "field", {"var": var}, el(DATA, "value", None, value))
