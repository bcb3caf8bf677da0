"""One participant: connect, ask the focus, follow a redirection, be in the room, leave."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode

from labctl.core.waiting import Patience
from labctl.crowd import conference
from labctl.crowd.asking import (
    Asking,
    Question,
    ask_over_http,
    ask_over_xmpp,
    ask_until_ready,
)
from labctl.crowd.door import Door
from labctl.crowd.errors import CrowdError
from labctl.crowd.events import Event, Kind, View
from labctl.crowd.figures import History
from labctl.crowd.inbox import Inbox
from labctl.crowd.names import RoomName
from labctl.crowd.options import Options
from labctl.crowd.recorder import Recorder
from labctl.crowd.standing import view_of
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import CLIENT, element, text

if TYPE_CHECKING:
    from labctl.crowd.media.call import Call
    from labctl.crowd.media.view import MediaView


class Participant:
    """A person in a conference, as the servers see one.

    Every wait has a deadline in seconds and fails with a CrowdError that says what was waited
    for and what was last seen.  A participant joins once; who is lost stays lost.
    """

    __slots__ = (
        "_inbox", "_name", "_options", "_question", "_recorder", "_stream", "_target", "_token",
        "began", "nick", "room", "vnode",
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
        self._name = RoomName.of(room)
        self.room = self._name.path
        self._token = self._options.token_for(target, self._name)
        self._question = Question(self._name, self._options.want_visitor, self._token)
        self.nick = nick or secrets.token_hex(4)
        self.vnode: str | None = None
        self.began = 0.0  # monotonic seconds, when it was told to join
        self._stream: Stream | None = None
        self._recorder = Recorder(self.nick, target.patience)
        self._inbox = Inbox(target, self._recorder, self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    @property
    def patience(self) -> Patience:
        """By how much longer than usual the lab's machines may take."""
        return self._target.patience

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
            raise CrowdError(f"Participant '{self.nick}' has already joined; make a new one.")
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
        self.live().send(element("message", attributes, body, ns=CLIENT))

    def raise_hand(self, *, up: bool = True) -> None:
        """Raise the hand, with which a visitor asks for promotion, or lower it: a time of 0."""
        self._send_presence(hand=int(time.time() * 1000) if up else 0)
        self._recorder.record(Kind.HAND)

    async def promote(self, *, deadline: float = 15.0) -> None:
        """As a visitor: raise the hand, wait for leave to come, and come to the main room."""
        self.raise_hand()
        await self.come(deadline=deadline)

    async def come(self, *, deadline: float = 15.0) -> None:
        """As a visitor: wait for the promotion, and come to the main room."""
        event = await self.wait_for(Kind.PROMOTED, deadline=deadline)
        move = self._move(None, customusername=event.details["username"])
        await self._attempt(move, deadline=deadline, failure="was promoted but did not come")

    def drop(self) -> None:
        """Lose the connection, as in a tunnel; `resume` takes the session up again."""
        self.live().drop()
        self._recorder.record(Kind.AWAY)

    async def resume(self, *, deadline: float = 15.0) -> None:
        """Come back to the same seat on a new connection (XEP-0198)."""
        self._recorder.stage = "for the session to be resumed"
        work = self.live().resume()
        await self._attempt(work, deadline=deadline, failure="did not come back")
        self._recorder.record(Kind.RESUMED)

    async def leave(self) -> None:
        """Leave the room and close the stream in order; never raises, takes 2 s at most."""
        stream, self._stream = self._stream, None
        self._inbox.hang_up()
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
        self._inbox.hang_up()
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
        jid = self._stream.jid if self._stream is not None else None
        return view_of(
            self._inbox, self._recorder, room=self.room, state=self.state, jid=jid, vnode=self.vnode
        )

    def media(self) -> MediaView | None:
        """Where its media stands; None without any."""
        return self._inbox.call.view() if self._inbox.call is not None else None

    @property
    def has_media(self) -> bool:
        return self._options.media is not None

    @property
    def call(self) -> Call | None:
        """Its media itself, for those who drive it."""
        return self._inbox.call

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
        if self._options.asking is Asking.HTTP:
            await self._connect((await self._ask_focus()).vnode)
        else:
            await self._connect(None)
            answer = await self._ask_focus()
            if answer.vnode is not None:
                await self._move(answer.vnode)
                return
        await self._enter()

    async def _move(self, vnode: str | None, **query: str) -> None:
        """Go over to another Prosody and enter the room there."""
        old, self._stream = self._stream, None
        if old is not None:
            await old.close()
        await self._connect(vnode, **query)
        await self._enter()

    async def _connect(self, vnode: str | None, **query: str) -> None:
        domain, account = self._options.login(self._target, vnode)
        self.vnode = vnode
        words = {"vnode": vnode, "room": self._name.asked, "token": self._token, **query}
        self._recorder.stage = f"for a connection to '{domain}'"
        line = self._options.line
        self._stream = stream = Stream(
            self._target,
            domain=domain,
            door=Door(
                urlencode({key: value for key, value in words.items() if value}),
                self._name.service(line),
                line,
            ),
            lasting=self._options.lasting,
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
        jid = await stream.login(account)
        self._recorder.record(Kind.AUTHENTICATED, jid=jid)
        if self._inbox.call is not None:
            await self._inbox.call.prepare(stream, domain=domain)

    async def _ask_focus(self) -> conference.Answer:
        """Ask until the focus is ready; ends by the caller's deadline."""

        def ask() -> Awaitable[conference.Answer]:
            if self._options.asking is Asking.HTTP:
                return ask_over_http(self._target, self._question)
            return ask_over_xmpp(self.live(), self._target, self._question)

        return await ask_until_ready(ask, self._recorder, focus=self._target.focus)

    async def _enter(self) -> None:
        self._recorder.stage = f"for its own presence in '{self._inbox.room_jid}'"
        self._send_presence(first=True)
        assert self._inbox.entered is not None
        await self._inbox.entered

    def _send_presence(self, *, first: bool = False, hand: int | None = None) -> None:
        self.live().send(
            conference.render_presence(
                self._occupant_jid,
                nick=self.nick,
                sources=self._inbox.source_info,
                caps=self._options.caps,
                first=first,
                hand=hand,
                name=self._options.name,
            )
        )

    @property
    def _occupant_jid(self) -> str:
        return f"{self._inbox.room_jid}/{self.nick}"

    def live(self) -> Stream:
        """The stream, for what no method here sends."""
        if self._stream is None:
            raise CrowdError(f"Participant '{self.nick}' has no connection.")
        return self._stream

    def _on_lost(self, reason: str) -> None:
        self._inbox.lose(CrowdError(f"{reason[0].upper()}{reason[1:]}."))
        self._recorder.record(Kind.LOST, reason=reason)
