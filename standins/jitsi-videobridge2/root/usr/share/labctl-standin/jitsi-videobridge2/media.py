"""Conferences, endpoints and relays of the bridge: what colibri2 creates and expires.

No media flows.  An endpoint has real ICE credentials, which `ice` checks; the DTLS
fingerprint is random, because there is no DTLS behind it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jitsilog import Journal

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
FIRST_TRANSFER_TIMEOUT = 120.0
EMPTY_TIMEOUT = 20.0


def make_fingerprint() -> str:
    """A SHA-256 fingerprint in the notation of RFC 8122."""
    return ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))


def make_word(length: int) -> str:
    """A random word of lower-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(slots=True)
class IceAgent:
    """Local credentials of one transport and when the peer last proved that it knows them."""

    controlling: bool
    ufrag: str = field(default_factory=lambda: make_word(12))
    pwd: str = field(default_factory=lambda: make_word(26))
    fingerprint: str = field(default_factory=make_fingerprint)
    websocket_pwd: str = field(default_factory=lambda: make_word(24))
    created: float = field(default_factory=time.monotonic)
    active: float | None = None

    def expired(self, now: float, timeout: float) -> bool:
        """No ICE for two minutes since creation, or for `timeout` seconds since the last."""
        if self.active is None:
            return now - self.created > FIRST_TRANSFER_TIMEOUT
        return now - self.active > timeout


@dataclass(slots=True)
class Endpoint:
    """A participant."""

    id: str
    agent: IceAgent
    visitor: bool
    stats_id: str = ""
    sctp: bool = False


@dataclass(slots=True)
class Relay:
    """A connection to another bridge of the conference and the endpoints behind it."""

    id: str
    agent: IceAgent
    endpoints: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Conference:
    """One meeting on this bridge."""

    id: str
    meeting_id: str
    name: str
    journal: Journal
    created: float
    emptied: float | None
    audio_ssrc: int = field(default_factory=lambda: secrets.randbelow(2**32 - 2) + 1)
    video_ssrc: int = field(default_factory=lambda: secrets.randbelow(2**32 - 2) + 1)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    relays: dict[str, Relay] = field(default_factory=dict)

    def touch(self) -> None:
        """Remember since when nobody is here."""
        if self.endpoints or self.relays:
            self.emptied = None
        elif self.emptied is None:
            self.emptied = time.monotonic()


@dataclass(slots=True)
class Totals:
    """Counters since start."""

    created: int = 0
    completed: int = 0
    participants: int = 0
    visitors: int = 0
    ice_succeeded: int = 0
    ice_failed: int = 0


class Media:
    """All conferences of the bridge."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.conferences: dict[str, Conference] = {}
        self.agents: dict[str, IceAgent] = {}
        self.totals = Totals()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def endpoint_count(self) -> int:
        """Endpoints connected to this bridge itself."""
        return sum(len(one.endpoints) for one in self.conferences.values())

    def create(self, meeting_id: str, name: str) -> Conference:
        """A new conference."""
        number = secrets.token_hex(8)
        journal = self.journal.child(
            thread=60, confId=number, conf_name=name, meeting_id=meeting_id[:8]
        )
        made = Conference(number, meeting_id, name, journal, time.monotonic(), None)
        made.touch()
        self.conferences[meeting_id] = made
        self.totals.created += 1
        self.journal.info(
            "Videobridge.createConference#245", f"create_conf, id={number} meeting_id={meeting_id}"
        )
        return made

    def add_endpoint(
        self, conference: Conference, id: str, *, visitor: bool, sctp: bool
    ) -> Endpoint:
        """A new endpoint; one of that name that exists already is replaced."""
        if id in conference.endpoints:
            self.remove_endpoint(conference, id)
        made = Endpoint(id, self._agent(controlling=True), visitor=visitor, sctp=sctp)
        conference.endpoints[id] = made
        conference.touch()
        self.totals.participants += 1
        self.totals.visitors += visitor
        conference.journal.child(epId=id).info(
            "Endpoint.<init>#292", "Created new endpoint, iceControlling=true"
        )
        return made

    def remove_endpoint(self, conference: Conference, id: str) -> None:
        """Expire an endpoint; nothing happens when it is not there."""
        endpoint = conference.endpoints.pop(id, None)
        if endpoint is None:
            return
        self.agents.pop(endpoint.agent.ufrag, None)
        conference.journal.child(epId=id).info("Endpoint.expire#1102", "Expired.")
        conference.touch()
        self.on_change()

    def add_relay(self, conference: Conference, id: str, *, controlling: bool) -> Relay:
        """A new relay to the bridge `id`."""
        made = Relay(id, self._agent(controlling=controlling))
        conference.relays[id] = made
        conference.touch()
        conference.journal.info("Relay.<init>#160", f"Created new relay, id={id}")
        return made

    def remove_relay(self, conference: Conference, id: str) -> None:
        """Expire a relay; nothing happens when it is not there."""
        relay = conference.relays.pop(id, None)
        if relay is not None:
            self.agents.pop(relay.agent.ufrag, None)
            conference.touch()

    def expire(self, conference: Conference) -> None:
        """End a conference with everything in it."""
        for id in list(conference.endpoints):
            self.remove_endpoint(conference, id)
        for id in list(conference.relays):
            self.remove_relay(conference, id)
        if self.conferences.pop(conference.meeting_id, None) is not None:
            self.totals.completed += 1
            seconds = int(time.monotonic() - conference.created)
            conference.journal.info("Conference.expire#520", f"expire_conf,duration={seconds}")
        self.on_change()

    def expire_old(self, timeout: float, *, now: float | None = None) -> None:
        """What the original's expire thread does: silent endpoints, then empty conferences."""
        at = time.monotonic() if now is None else now
        for conference in list(self.conferences.values()):
            for endpoint in list(conference.endpoints.values()):
                if endpoint.agent.expired(at, timeout):
                    if endpoint.agent.active is None:
                        self.totals.ice_failed += 1
                    self.remove_endpoint(conference, endpoint.id)
            if conference.emptied is not None and at - conference.emptied > EMPTY_TIMEOUT:
                self.expire(conference)

    def _agent(self, *, controlling: bool) -> IceAgent:
        agent = IceAgent(controlling)
        self.agents[agent.ufrag] = agent
        return agent
