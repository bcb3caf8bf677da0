"""A participant: its member, its features, its Jingle session."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chatroom import ChatRoom, Member, Role
from jitsilog import Journal
from offer import DEFAULT_FEATURES, parse_features
from sources import SourceSet, render_json_sources, render_xml_sources
from stanzas import DISCO_INFO, JINGLE, RTP, Element, el, find_all, iq
from xmppclient import XmppClient, is_error


class JingleState(StrEnum):
    """Of a Jingle session."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(slots=True)
class JingleSession:
    """One invitation; `queued` are source changes until it is accepted."""

    sid: str
    bridge_session: str
    state: JingleState = JingleState.PENDING
    queued: list[tuple[str, dict[str, SourceSet]]] = field(default_factory=list)


class RestartLimit:
    """How often a participant may ask for a restart: 5 s apart, 5 a minute."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Whether one more is allowed at `now`, which is then counted."""
        while self._times and now - self._times[0] > 60:
            self._times.popleft()
        if len(self._times) >= 5 or (self._times and now - self._times[-1] < 5):
            return False
        self._times.append(now)
        return True


@dataclass(slots=True, eq=False)
class Participant:
    """One who is invited."""

    member: Member
    room: ChatRoom
    features: frozenset[str]
    journal: Journal
    session: JingleSession | None = None
    ended: deque[str] = field(default_factory=lambda: deque(maxlen=10))
    inviting: asyncio.Task[None] | None = None
    limit: RestartLimit = field(default_factory=RestartLimit)

    @property
    def id(self) -> str:
        """The endpoint id, which is the nick."""
        return self.member.id

    @property
    def visitor(self) -> bool:
        """In a visitor room, or with the role there."""
        return self.room.vnode is not None or self.member.role is Role.VISITOR

    @property
    def client(self) -> XmppClient:
        """The connection that reaches it."""
        return self.room.connection.client

    def new_session(self, bridge_session: str) -> JingleSession:
        """Begin a Jingle session."""
        self.session = JingleSession(secrets.token_hex(6), bridge_session)
        return self.session

    def may_restart(self) -> bool:
        """Whether a restart that was asked for now is allowed."""
        return self.limit.allow(time.monotonic())

    # -- stanzas -------------------------------------------------------------------------------

    def jingle(self, action: str, *children: Element) -> Element:
        """An IQ of the current session."""
        sid = self.session.sid if self.session else ""
        attrs = {"action": action, "initiator": self.client.jid, "sid": sid}
        return self.send_to(el(JINGLE, "jingle", attrs, *children))

    def send_to(self, jingle: Element) -> Element:
        """An IQ to this participant; Prosody puts the occupant's address in `from`."""
        return iq("set", self.member.occupant_jid, jingle)

    def terminate(self, reason: str, text: str, *, send: bool) -> None:
        """End the Jingle session, with a session-terminate if `send`."""
        if self.inviting is not None:
            self.inviting.cancel()
            self.inviting = None
        session = self.session
        if session is None or session.state is JingleState.ENDED:
            return
        if send:
            element = el(JINGLE, "reason", None, el(JINGLE, reason))
            if text:
                element.append(el(JINGLE, "text", None, text))
            self.client.spawn(self._send(self.jingle("session-terminate", element)))
        session.state = JingleState.ENDED
        self.ended.append(session.sid)
        self.session = None

    async def _send(self, stanza: Element) -> None:
        try:
            await self.client.ask(stanza)
        except TimeoutError:
            return

    def signal_sources(self, action: str, sources: Mapping[str, SourceSet]) -> None:
        """source-add or source-remove, at once or when the session is accepted."""
        if self.session is None or not sources:
            return
        if self.session.state is JingleState.PENDING:
            self.session.queued.append((action, dict(sources)))
            return
        if "JSON_SOURCES" in self.features:
            children = [render_json_sources(sources)]
        else:
            children = [
                content
                for media in ("audio", "video")
                if (content := _content(media, sources)) is not None
            ]
        if children:
            self.client.spawn(self._send(self.jingle(action, *children)))

    def flush(self) -> None:
        """Send what waited for the session to be accepted."""
        queued = self.session.queued if self.session else []
        for action, sources in list(queued):
            self.signal_sources(action, sources)
        queued.clear()


def _content(media: str, sources: Mapping[str, SourceSet]) -> Element | None:
    elements = list(render_xml_sources(sources, media))
    if not elements:
        return None
    description = el(RTP, "description", {"media": media}, *elements)
    return el(JINGLE, "content", {"creator": "initiator", "name": media}, description)


class FeatureCache:
    """disco#info of members, remembered by their capabilities (XEP-0115)."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    async def discover(
        self, member: Member, client: XmppClient, journal: Journal
    ) -> frozenset[str]:
        """The features; without an answer within 15 s upstream's default ones."""
        if member.caps is None:
            journal.severe("XmppProvider.discoverFeatures#270", "No caps nodeVer found")
        elif member.caps in self._known:
            return self._known[member.caps]
        request = iq("get", member.occupant_jid, el(DISCO_INFO, "query"))
        if member.caps is not None:
            request[0].set("node", "#".join(member.caps))
        try:
            answer = await client.ask(request)
        except TimeoutError:
            journal.warning(
                "XmppProvider.discoverFeatures#285", f"Failed to discover features of {member.id}"
            )
            return DEFAULT_FEATURES
        query = answer.find(f"{{{DISCO_INFO}}}query")
        if is_error(answer) or query is None:
            return DEFAULT_FEATURES
        found = parse_features(
            {item.get("var", "") for item in find_all(query, DISCO_INFO, "feature")}
        )
        if member.caps is not None:
            self._known[member.caps] = found
        return found

    def debug(self) -> dict[str, list[str]]:
        """`/debug/xmpp-caps`."""
        return {"#".join(key): sorted(value) for key, value in self._known.items()}
