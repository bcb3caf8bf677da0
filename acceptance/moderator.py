"""What Jitsi's client sends when somebody uses a moderator's menus, and what people are told.

Each command goes to the component that the main host announces for it
(docs/facts/moderation.md, 1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acceptance import jicofo
from acceptance.chat import NEARBY
from labctl.core.waiting import Patience
from labctl.crowd import Event, Kind
from labctl.crowd.sync import SyncParticipant
from labctl.crowd.xml import CLIENT, JITMEET, MUC, MUC_USER, NICK, element, text

SECONDS = 10
MUC_ADMIN = "http://jabber.org/protocol/muc#admin"
MUC_OWNER = "http://jabber.org/protocol/muc#owner"
FORM = "jabber:x:data"

Note = Mapping[str, Any]


def parse_note(words: str) -> Note:
    """A JSON message as an object; empty for anything else."""
    try:
        found = json.loads(words)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def notes(who: SyncParticipant, kind: str) -> list[Note]:
    """Every JSON message of this type that somebody got, oldest first."""
    found = (parse_note(e.details["text"]) for e in who.view().events if e.kind is Kind.NOTE)
    return [note for note in found if note.get("type") == kind]


def told(who: SyncParticipant, kind: str, fits: Callable[[Note], bool], patience: Patience) -> Note:
    """The latest JSON message of this type that fits, once it has come."""

    def look() -> bool:
        return any(fits(note) for note in notes(who, kind))

    came = jicofo.wait_value(look, True, seconds=SECONDS, patience=patience, interval=NEARBY)
    assert came, f"nothing of '{kind}' fits: {notes(who, kind)}"
    return next(note for note in reversed(notes(who, kind)) if fits(note))


def bounced(who: SyncParticipant, domain: str, *, after: float) -> Event:
    """The message that a component sent back after this (monotonic) time."""
    event = who.wait_for(Kind.BOUNCED, deadline=SECONDS, after=after)
    assert event.details["from"] == domain, str(event)
    return event


def tell(who: SyncParticipant, to: str, payload: str, *, kind: str | None = None) -> None:
    """Send a message with this payload (XML)."""
    who.send(element("message", {"to": to, "type": kind}, payload, ns=CLIENT))


@dataclass(frozen=True)
class Menu:
    """Somebody's client in a room of the main server; a moderator's or not."""

    who: SyncParticipant
    domain: str
    room: str

    @property
    def room_jid(self) -> str:
        return f"{self.room}@conference.{self.domain}"

    def set_lobby(self, on: bool, *, members: list[str] | None = None) -> None:
        """Members first, so that nobody who is there is thrown out; then the room's form."""
        if members:
            items = [element("item", {"affiliation": "member", "jid": jid}) for jid in members]
            self.who.ask("set", element("query", None, *items, ns=MUC_ADMIN), to=self.room_jid)
        fields = {
            "FORM_TYPE": "http://jabber.org/protocol/muc#roomconfig",
            "muc#roomconfig_membersonly": "1" if on else "0",
        }
        words = [
            element("field", {"var": name}, element("value", None, value))
            for name, value in fields.items()
        ]
        form = element("x", {"type": "submit"}, *words, ns=FORM)
        self.who.ask("set", element("query", None, form, ns=MUC_OWNER), to=self.room_jid)

    def enter_lobby(self, lobby: str) -> None:
        """A moderator's client goes there as well, to see who waits."""
        name = element("nick", None, text(self.who.nick), ns=NICK)
        to = {"to": f"{lobby}/{self.who.nick}"}
        self.who.send(element("presence", to, element("x", ns=MUC), name, ns=CLIENT))

    def let_in(self, *jids: str) -> None:
        """Invite people from the lobby."""
        invitations = [element("invite", {"to": jid}) for jid in jids]
        tell(self.who, self.room_jid, element("x", None, *invitations, ns=MUC_USER))

    def turn_away(self, lobby: str, nick: str) -> None:
        """Kick somebody out of the lobby, which lets no answer to that pass."""
        query = element(
            "query", None, element("item", {"nick": nick, "role": "none"}), ns=MUC_ADMIN
        )
        self.who.send(element("iq", {"type": "set", "id": "kick", "to": lobby}, query, ns=CLIENT))

    def set_metadata(self, key: str, data: object) -> None:
        words = text(json.dumps({"key": key, "data": data}))
        change = element("room_metadata", {"room": self.room_jid}, words, ns=JITMEET)
        tell(self.who, f"metadata.{self.domain}", change)

    def set_moderation(self, media: str, *, on: bool) -> None:
        self._moderate({"enable": "true" if on else "false", "mediaType": media})

    def allow(self, media: str, nick: str) -> None:
        """Let somebody unmute."""
        self._moderate({"jidToWhitelist": f"{self.room_jid}/{nick}", "mediaType": media})

    def _moderate(self, attributes: Mapping[str, str]) -> None:
        tell(self.who, f"avmoderation.{self.domain}", element("av_moderation", attributes))

    def unmute(self) -> None:
        """Ask Jicofo to let this client's own sound through; StanzaError where it refuses."""
        mute = element("mute", {"jid": f"{self.room_jid}/{self.who.nick}"}, "false", ns=AUDIO)
        self.who.ask("set", mute, to=f"{self.room_jid}/focus")

    def add_breakout(self, name: str) -> None:
        self._breakout({"type": "features/breakout-rooms/add", "subject": name})

    def rename_breakout(self, jid: str, name: str) -> None:
        kind = "features/breakout-rooms/rename"
        self._breakout({"type": kind, "breakoutRoomJid": jid, "subject": name})

    def remove_breakout(self, jid: str) -> None:
        self._breakout({"type": "features/breakout-rooms/remove", "breakoutRoomJid": jid})

    def _breakout(self, attributes: Mapping[str, str]) -> None:
        tell(self.who, f"breakout.{self.domain}", element("breakout_rooms", attributes))

    def speak(self) -> None:
        """Say that this client's user is the loudest now."""
        word = element("speakerstats", {"room": self.room_jid}, ns=JITMEET)
        tell(self.who, f"speakerstats.{self.domain}", word)

    def end(self) -> None:
        """End the conference for everybody."""
        tell(self.who, f"endconference.{self.domain}", element("end_conference"))

    def decide(self, visitor: str, *, approved: bool) -> None:
        """Answer a visitor that asked to speak."""
        self.note_to_room(
            {"type": "visitors", "action": "promotion-response", "id": visitor}
            | {"approved": approved}
        )

    def note_to_room(self, note: Note) -> None:
        words = element("json-message", None, text(json.dumps(note)), ns=JITMEET)
        tell(self.who, self.room_jid, words, kind="groupchat")


AUDIO = f"{JITMEET}/audio"


def poll(
    who: SyncParticipant, polls: str, question: str, answers: list[str], *, name: str = "poll-1"
) -> None:
    """Ask everybody; `polls` is the component of one's own server."""
    choices = [{"name": answer} for answer in answers]
    _poll(who, polls, {"command": "new-poll", "pollId": name}
          | {"question": question, "answers": choices})  # fmt: skip


def vote(who: SyncParticipant, polls: str, votes: list[bool], *, name: str = "poll-1") -> None:
    """Answer a poll: which of its choices are ticked."""
    _poll(who, polls, {"command": "answer-poll", "pollId": name, "answers": votes})


def _poll(who: SyncParticipant, polls: str, words: Mapping[str, object]) -> None:
    note = json.dumps({"type": "polls", **words})
    tell(who, polls, element("json-message", None, text(note), ns=JITMEET))
