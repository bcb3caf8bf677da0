"""What the room and the focus send to a participant, and what it answers by itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labctl.crowd import conference, jingle
from labctl.crowd.errors import CrowdError, StanzaError
from labctl.crowd.events import NOTHING, Kind, Occupant, occupant
from labctl.crowd.options import Options
from labctl.crowd.recorder import Recorder
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import (
    CLIENT,
    DELAY,
    DISCO_INFO,
    DISPLAY_NAME,
    JINGLE,
    JITMEET,
    NICK,
    PING,
    STANZAS,
    Element,
    child,
    element,
    error_of,
    local,
)

if TYPE_CHECKING:
    from labctl.crowd.media.call import Call


class Inbox:
    """A participant's side of one room on one stream."""

    __slots__ = (
        "_options", "_recorder", "_stream", "_target", "_visitor", "affiliation", "call",
        "conference", "entered", "in_room", "occupants", "role", "room_jid", "sid",
    )  # fmt: skip

    def __init__(self, target: Target, recorder: Recorder, options: Options) -> None:
        self._target, self._recorder, self._options = target, recorder, options
        self.call: Call | None = None
        self._stream: Stream | None = None
        self._visitor = False
        self.room_jid = ""
        self.entered: asyncio.Future[None] | None = None
        self.in_room = False
        self.role: str | None = None
        self.affiliation: str | None = None
        self.occupants: dict[str, Occupant] = {}
        self.conference: Mapping[str, str] = NOTHING
        self.sid: str | None = None

    @property
    def own_sources(self) -> int:
        """How many sources without media to announce; visitors may not have any."""
        return 0 if self._visitor else self._options.audio_sources

    @property
    def source_info(self) -> dict[str, dict[str, object]]:
        """What the presence says of this participant's sources."""
        nick, media = self._recorder.nick, self._options.media
        if media is None:
            return {f"{nick}-a{index}": {"muted": True} for index in range(self.own_sources)}
        if self._visitor or not media.send:
            return {}
        camera: dict[str, dict[str, object]] = {"audio": {}, "video": {"videoType": "camera"}}
        return {f"{nick}-{name[0]}0": {"muted": False, **camera[name]} for name in media.kind.media}

    def begin(self, stream: Stream, room_jid: str, *, visitor: bool) -> None:
        """From now on `stream` speaks for `room_jid`."""
        if self.call is None and self._options.media is not None:
            from labctl.crowd.media.start import (
                start,
            )  # late: a crowd without media needs no library

            self.call = start(self._target, self._options.media, self._recorder)
        self.hang_up()
        self._stream, self.room_jid, self._visitor = stream, room_jid, visitor
        self.occupants.clear()
        self.role = self.affiliation = self.sid = None
        self.in_room = False
        self.entered = asyncio.get_running_loop().create_future()

    def hang_up(self) -> None:
        """Media has ended; what was counted is kept."""
        if self.call is not None:
            self.call.hang_up()

    def lose(self, error: CrowdError) -> None:
        """The stream has ended: from now on nobody is in the room or enters it."""
        self.in_room, self.sid = False, None
        self.hang_up()
        if self.entered is not None and not self.entered.done():
            self.entered.set_exception(error)
            self.entered.exception()  # nobody need be waiting: the stream may end before

    def take(self, stanza: Element) -> None:
        """One presence, message or IQ request."""
        kind = local(stanza.tag)
        if kind == "presence":
            self._on_presence(stanza)
        elif kind == "message":
            self._on_message(stanza)
        else:
            self._on_request(stanza)

    # Presence and messages.

    def _on_presence(self, stanza: Element) -> None:
        if stanza.get("from", "").partition("/")[0] != self.room_jid:
            return
        seen = conference.parse_presence(stanza)
        if seen.kind == "error":
            self._on_refused(stanza)
            return
        if conference.SELF_STATUS in seen.statuses or seen.nick == self._recorder.nick:
            self._on_own_presence(seen)
        if seen.kind == "unavailable":
            self.occupants.pop(seen.nick, None)
            if self.call is not None:
                self.call.flows.forget(seen.nick)
            return
        self.occupants[sys.intern(seen.nick)] = occupant(seen.role, seen.affiliation)
        if seen.nick == "focus":
            self.conference = conference.parse_properties(stanza) or self.conference

    def _on_refused(self, stanza: Element) -> None:
        condition, words = error_of(stanza)
        self._recorder.record(Kind.REFUSED, what="presence", condition=condition, text=words)
        if self.entered is not None and not self.entered.done():
            error = StanzaError(f"Joining '{self.room_jid}'", condition=condition, text=words)
            self.entered.set_exception(error)

    def _on_own_presence(self, seen: conference.Seen) -> None:
        if seen.kind == "unavailable":
            statuses = " ".join(sorted(seen.statuses - {conference.SELF_STATUS}))
            self.in_room, self.sid = False, None
            self.hang_up()
            self._recorder.record(Kind.REMOVED, reason=seen.reason, status=statuses)
            return
        changed = (self.role, self.affiliation) != (seen.role, seen.affiliation)
        self.role, self.affiliation = sys.intern(seen.role), sys.intern(seen.affiliation)
        facts = {"role": self.role, "affiliation": self.affiliation}
        if self.entered is not None and not self.entered.done():
            self.in_room = True
            others = str(len(self.occupants))
            self._recorder.record(Kind.JOINED, **facts, occupants=others)
            self.entered.set_result(None)
        elif changed:
            self._recorder.record(Kind.ROLE, **facts)

    def _on_message(self, stanza: Element) -> None:
        if self._options.notes:
            self._note(stanza)
        body = stanza.findtext(f"{{{CLIENT}}}body")
        if body is None or stanza.get("type") != "groupchat":
            return
        name = child(stanza, DISPLAY_NAME, "display-name")
        details = {
            "from": stanza.get("from", ""),
            "body": body,
            "source": name.get("source", "") if name is not None else "",
            "name": (name.text or "") if name is not None else "",
            "nick": stanza.findtext(f"{{{NICK}}}nick") or "",
            "delayed": "true" if child(stanza, DELAY, "delay") is not None else "",
        }
        self._recorder.record(Kind.MESSAGE, **details)

    def _note(self, stanza: Element) -> None:
        sender, note = stanza.get("from", ""), child(stanza, JITMEET, "json-message")
        if stanza.get("type") == "error":
            condition, words = error_of(stanza)
            details = {"from": sender, "condition": condition, "text": words}
            self._recorder.record(Kind.BOUNCED, **details)
        elif note is not None:
            self._recorder.record(Kind.NOTE, **{"from": sender, "text": note.text or ""})

    # Requests.

    def _on_request(self, iq: Element) -> None:
        session = child(iq, JINGLE, "jingle")
        promotion = conference.parse_promotion(iq)
        query = child(iq, DISCO_INFO, "query")
        if session is not None:
            self._reply(iq)
            self._on_jingle(iq.get("from", ""), session)
        elif promotion is not None:
            self._reply(iq)
            self._on_promotion(*promotion)
        elif query is not None:
            self._reply(iq, self._options.caps.render_disco_info(query.get("node")))
        elif (media := conference.parse_mute(iq)) is not None:
            self._reply(iq)
            self._recorder.record(Kind.MUTED, media=media)
        elif child(iq, PING, "ping") is not None:
            self._reply(iq)
        else:
            condition = element("service-unavailable", ns=STANZAS)
            self._reply(iq, element("error", {"type": "cancel"}, condition), kind="error")

    def _reply(self, iq: Element, payload: str = "", *, kind: str = "result") -> None:
        attributes = {"type": kind, "id": iq.get("id"), "to": iq.get("from")}
        if self._stream is not None:
            self._stream.send(element("iq", attributes, payload, ns=CLIENT))

    def _on_promotion(self, allowed: bool, username: str) -> None:
        if allowed:
            self._recorder.record(Kind.PROMOTED, username=username)
        else:
            self._recorder.record(Kind.REFUSED, what="promotion", condition="not-allowed", text="")

    def _on_jingle(self, sender: str, session: Element) -> None:
        action = session.get("action")
        if action == "session-initiate":
            self._on_offer(sender, session)
        elif action == "session-terminate":
            reason, words = jingle.parse_reason(session)
            self.sid = None
            self.hang_up()
            details = {"sid": session.get("sid", ""), "reason": reason, "text": words}
            self._recorder.record(Kind.TERMINATED, **details)
        elif self.call is not None:
            self.call.take(session)

    def _on_offer(self, sender: str, session: Element) -> None:
        offer = jingle.parse_offer(session)
        again = self._recorder.last(Kind.INVITED) is not None
        self.sid = offer.sid
        self._recorder.record(
            Kind.REINVITED if again else Kind.INVITED,
            sid=offer.sid,
            bridge_session=offer.bridge_session,
            region=offer.region,
        )
        if not self._options.accept or self._stream is None:
            return
        stream, jid = self._stream, self._stream.jid or ""

        def accept(payload: str) -> None:
            stream.call(payload, to=sender, on_answer=lambda iq: self._on_answer(offer, iq))

        def tell(payload: str) -> None:
            stream.call(payload, to=sender, on_answer=lambda _: None)

        if self.call is not None:
            self.call.invite(
                session, offer, jid=jid, visitor=self._visitor, accept=accept, tell=tell
            )
        else:
            nick, sources = self._recorder.nick, self.own_sources
            accept(jingle.render_accept(offer, jid=jid, nick=nick, audio_sources=sources))

    def _on_answer(self, offer: jingle.Offer, iq: Element) -> None:
        if iq.get("type") == "result":
            self._recorder.record(Kind.ACCEPTED, sid=offer.sid)
            return
        condition, words = error_of(iq)
        self._recorder.record(Kind.REFUSED, what="session-accept", condition=condition, text=words)
