"""Who may begin a conference where `jicofo.authentication` is on (docs/facts/jicofo.md, 12).

Only type XMPP: whoever has an account in the domain of `login-url`.  Sessions are by machine, as
upstream keeps them for a client that comes back as a guest; they end with the conference.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from stanzas import bare


class Refused(Exception):
    """A request is refused: condition, text, and where there is one an element of Jicofo's own."""

    def __init__(self, condition: str, text: str, own: str | None = None) -> None:
        super().__init__(text)
        self.condition, self.text, self.own = condition, text, own


@dataclass(slots=True)
class Session:
    """Somebody who has logged in."""

    id: str
    machine: str
    identity: str
    room: str
    jid: str = ""


@dataclass(slots=True)
class Authority:
    """The sessions of all who logged in; without a `domain` everybody may begin a conference."""

    domain: str | None
    sessions: dict[str, Session] = field(default_factory=dict)

    def authenticate(
        self, sender: str, room: str, *, machine: str | None, session_id: str | None, exists: bool
    ) -> Session | None:
        """The sender's session, None for a guest; raises Refused."""
        if self.domain is None:
            return None
        session = self.sessions.get(session_id or "")
        if session_id and session is None:
            raise Refused("not-acceptable", "", own="session-invalid")
        if session is not None and session.machine != machine:
            raise Refused("not-acceptable", "machine UID mismatch or empty")
        if session is None and self._is_own(sender):
            if not machine:
                raise Refused("not-acceptable", "Missing mandatory attribute 'machine-uid'")
            session = self._begin(machine, bare(sender), room)
        if session is not None:
            session.jid = sender
        elif not exists:
            raise Refused("not-authorized", "not authorized user domain")
        return session

    def has_session(self, jid: str | None) -> bool:
        """Whether the owner of a full JID has logged in."""
        return jid is not None and any(session.jid == jid for session in self.sessions.values())

    def conference_ended(self, room: str) -> None:
        """Sessions end with the conference that they were begun for."""
        for session in list(self._of(room)):
            del self.sessions[session.id]

    def _of(self, room: str) -> Iterator[Session]:
        return (session for session in self.sessions.values() if session.room == room)

    def _is_own(self, sender: str) -> bool:
        return bare(sender).partition("@")[2] == self.domain

    def _begin(self, machine: str, identity: str, room: str) -> Session:
        for session in self.sessions.values():
            if (session.machine, session.identity) == (machine, identity):
                return session
        session = Session(str(uuid.uuid4()), machine, identity, room)
        self.sessions[session.id] = session
        return session
