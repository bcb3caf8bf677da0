"""One participant: connect, ask the focus, follow a redirection, be in the room, leave."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable
from itertools import chain, repeat
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from labctl.crowd import conference
from labctl.crowd.errors import CrowdError
from labctl.crowd.events import NOTHING, Event, Kind, View
from labctl.crowd.figures import History
from labctl.crowd.inbox import Inbox, Options
from labctl.crowd.recorder import Recorder
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import CLIENT, element, text

BACK_OFF = (0.5, 1.0, 2.0, 4.0)
"""Seconds between conference requests while the focus says ready=false; the last one repeats."""


class Participant:
    """A person in a conference, as the servers see one.

    Every wait has a deadline in seconds and fails with a CrowdError that says what was waited
    for and what was last seen.  A participant joins once; who is lost stays lost.
    """

    __slots__ = (
        "_inbox", "_options", "_recorder", "_stream", "_target", "began", "nick", "room", "vnode",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        room: str,
        *,
        nick: str | None = None,
        want_visitor: bool = False,
        options: Options | None = None,
    ) -> None:
        self._target = target
        self._options = options or Options(want_visitor=want_visitor)
        self.room = room.lower()
        self.nick = nick or secrets.token_hex(4)
        self.vnode: str | None = None
        self.began = 0.0  # monotonic seconds, when it was told to join
        self._recorder = Recorder(self.nick)
        self._inbox = Inbox(self._recorder, self._options)
        self._stream: Stream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.leave()

    @property
    def events(self) -> list[Event]:
        return self._recorder.events

    @property
    def state(self) -> str:
        """new, connecting, joined, removed, left or lost."""
        if self._recorder.ended is not None:
            return str(self._recorder.ended.kind)
        if self._inbox.in_room:
            return "joined"
        if self._recorder.last(Kind.REMOVED) is not None:
            return "removed"
        return "connecting" if self.events else "new"

    # What a user asks for.

    async def join(self, *, deadline: float = 30.0) -> Self:
        """Log in, ask the focus, follow a redirection, and be in the room."""
        if self._stream is not None or self.events:
            raise CrowdError(f"Participant '{self.nick}' has joined once; make a new one.")
        self.began = time.monotonic()
        await self._attempt(self._join(), deadline=deadline, failure=f"did not join '{self.room}'")
        return self

    async def wait_for(
        self, kind: Kind, *, deadline: float, count: int = 1, after: float = 0.0
    ) -> Event:
        """The `count`-th event of this kind later than `after` (monotonic seconds)."""
        return await self._recorder.wait_for(kind, deadline=deadline, count=count, after=after)

    def say(self, words: str) -> None:
        """Send a groupchat message."""
        attributes = {"to": self._inbox.room_jid, "type": "groupchat", "id": secrets.token_hex(4)}
        body = element("body", None, text(words))
        self._live().send(element("message", attributes, body, ns=CLIENT))

    def raise_hand(self) -> None:
        """Raise the hand; a visitor asks for promotion with it."""
        self._send_presence(hand=int(time.time() * 1000))
        self._recorder.record(Kind.HAND)

    async def promote(self, *, deadline: float = 15.0) -> None:
        """As a visitor: raise the hand, wait for leave to come, and come to the main room."""
        asked = time.monotonic()
        self.raise_hand()
        event = await self.wait_for(Kind.PROMOTED, deadline=deadline, after=asked)
        move = self._move(None, customusername=event.details["username"])
        await self._attempt(move, deadline=deadline, failure="was promoted but did not come")

    async def leave(self) -> None:
        """Leave the room and close the stream in order; never raises, takes 2 s at most."""
        stream, self._stream = self._stream, None
        if stream is None or self._recorder.ended is not None:
            return
        if self._inbox.in_room:
            attributes = {"to": self._occupant_jid, "type": "unavailable"}
            stream.send(element("presence", attributes, ns=CLIENT))
        self._recorder.record(Kind.LEFT)
        await stream.close()

    def cut(self, reason: str = "cut on purpose") -> None:
        """Vanish without a word, as when a cable is pulled."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cut()
        if self._recorder.ended is None:
            self._on_lost(reason)

    def history(self) -> History:
        """What the figures of a crowd are made of; cheap, unlike a view."""
        invited = self._inbox.sid is not None
        return History(self.nick, self.began, self.state, invited, self.events)

    def view(self) -> View:
        """Where this participant stands now."""
        inbox = self._inbox
        invited = self._recorder.last(Kind.INVITED, Kind.REINVITED) if inbox.sid else None
        details = invited.details if invited is not None else NOTHING
        return View(
            nick=self.nick,
            room=self.room,
            state=self.state,
            jid=self._stream.jid if self._stream is not None else None,
            vnode=self.vnode,
            role=inbox.role,
            affiliation=inbox.affiliation,
            occupants=dict(inbox.occupants),
            sid=inbox.sid,
            bridge_session=details.get("bridge_session"),
            region=details.get("region"),
            conference=dict(inbox.conference),
            events=tuple(self.events),
        )

    # How it joins.

    async def _attempt(self, work: Awaitable[None], *, deadline: float, failure: str) -> None:
        """Do it within the deadline; a failure ends the participant and names it."""
        try:
            await self._recorder.within(deadline, work, failure)
        except CrowdError as error:
            seen = f" Last frame: {self._stream.last_seen}" if self._stream is not None else ""
            self.cut(error.message.rstrip("."))
            if self.nick in error.message:
                raise CrowdError(error.message + seen) from None
            message = f"Participant '{self.nick}' {failure}: {error.message}{seen}"
            raise CrowdError(message, hint=error.hint) from error
        except BaseException:
            self.cut("its join was given up")
            raise

    async def _join(self) -> None:
        await self._connect(None)
        answer = await self._ask_focus()
        self._recorder.record(Kind.ANSWERED, vnode=answer.vnode or "", focus=answer.focus)
        if answer.vnode is None:
            await self._enter()
            return
        self._recorder.record(Kind.REDIRECTED, vnode=answer.vnode)
        await self._move(answer.vnode)

    async def _move(self, vnode: str | None, **query: str) -> None:
        """Go over to another Prosody and enter the room there."""
        old, self._stream = self._stream, None
        if old is not None:
            await old.close()
        await self._connect(vnode, **query)
        await self._enter()

    async def _connect(self, vnode: str | None, **query: str) -> None:
        domain = self._target.host(vnode)
        self.vnode = vnode
        words = {"vnode": vnode, "room": self.room, **query}
        self._recorder.stage = f"for a connection to '{domain}'"
        self._stream = stream = Stream(
            self._target,
            domain=domain,
            query=urlencode({key: value for key, value in words.items() if value}),
            on_stanza=self._inbox.take,
            on_lost=self._on_lost,
            ping_every=self._options.ping_every,
        )
        self._inbox.begin(
            stream, self._target.room_jid(self.room, vnode), visitor=vnode is not None
        )
        await stream.connect()
        self._recorder.record(Kind.CONNECTED, vnode=vnode or "")
        self._recorder.stage = f"for the login to '{domain}'"
        jid = await stream.login()
        self._recorder.record(Kind.AUTHENTICATED, jid=jid)

    async def _ask_focus(self) -> conference.Answer:
        """Ask until the focus is ready; ends by the caller's deadline."""
        focus = self._target.focus
        for back_off in chain(BACK_OFF, repeat(BACK_OFF[-1])):
            self._recorder.stage = f"for '{focus}' to answer the conference request"
            request = conference.render_request(
                room_jid=self._target.room_jid(self.room, None),
                machine=secrets.token_hex(16),
                want_visitor=self._options.want_visitor,
            )
            iq = await self._live().request("set", request, to=focus, what="The conference request")
            answer = conference.parse_answer(iq)
            if answer.ready:
                return answer
            self._recorder.record(Kind.WAITING)
            self._recorder.stage = f"for '{focus}' to be ready (it said ready='false')"
            await self._recorder.pause(back_off)
        raise AssertionError("repeat() ends never")

    async def _enter(self) -> None:
        self._recorder.stage = f"for its own presence in '{self._inbox.room_jid}'"
        self._send_presence(first=True)
        assert self._inbox.entered is not None
        await self._inbox.entered

    def _send_presence(self, *, first: bool = False, hand: int | None = None) -> None:
        self._live().send(
            conference.render_presence(
                self._occupant_jid,
                nick=self.nick,
                audio_sources=self._inbox.own_sources,
                first=first,
                hand=hand,
            )
        )

    @property
    def _occupant_jid(self) -> str:
        return f"{self._inbox.room_jid}/{self.nick}"

    def _live(self) -> Stream:
        if self._stream is None:
            raise CrowdError(f"Participant '{self.nick}' has no connection.")
        return self._stream

    def _on_lost(self, reason: str) -> None:
        self._inbox.lose(CrowdError(f"{reason[0].upper()}{reason[1:]}."))
        self._recorder.record(Kind.LOST, reason=reason)
