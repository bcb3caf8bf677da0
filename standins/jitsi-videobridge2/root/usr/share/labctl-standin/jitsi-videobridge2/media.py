"""Conferences of the bridge: what colibri2 creates and expires, and their members' media.

It forwards real SRTP, as far as a lab needs it.  It has no bandwidth estimation for what it
sends and is no SFU to use elsewhere.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from channel import Channel
from datachannel import DataChannel
from dtls import Identity
from ice import IceServer
from inbound import Inbound
from jitsilog import Journal
from members import Endpoint, Relay
from messages import Messages
from outbound import Sender
from receiver import Receiver
from switch import Switch
from totals import Totals
from transport import PeerTransport

EMPTY_TIMEOUT = 20.0
TICK = 0.1


@dataclass(slots=True, eq=False)
class Conference:
    """One meeting on this bridge."""

    id: str
    meeting_id: str
    name: str
    journal: Journal
    created: float
    emptied: float | None
    last_n: int = -1
    audio_ssrc: int = field(default_factory=lambda: secrets.randbelow(2**32 - 2) + 1)
    video_ssrc: int = field(default_factory=lambda: secrets.randbelow(2**32 - 2) + 1)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    relays: dict[str, Relay] = field(default_factory=dict)
    switch: Switch = field(init=False)
    messages: Messages = field(init=False)

    def __post_init__(self) -> None:
        self.switch = Switch(self.endpoints, self.relays, last_n=self.last_n)
        self.messages = Messages(self.switch, self.journal)

    def touch(self) -> None:
        """Remember since when nobody is here."""
        if self.endpoints or self.relays:
            self.emptied = None
        elif self.emptied is None:
            self.emptied = time.monotonic()


class Media:
    """All conferences of the bridge."""

    def __init__(self, journal: Journal, *, last_n: int = -1) -> None:
        self.journal = journal
        self.conferences: dict[str, Conference] = {}
        self.ice = IceServer()
        self.identity = Identity()
        self.totals = Totals()
        self.on_change: Callable[[], None] = lambda: None
        self._last_n = last_n

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
        made = Conference(
            number, meeting_id, name, journal, time.monotonic(), None, self._last_n
        )  # fmt: skip
        made.touch()
        self.conferences[meeting_id] = made
        self.totals.created += 1
        self.journal.info(
            "Videobridge.createConference#245", f"create_conf, id={number} meeting_id={meeting_id}"
        )
        return made

    # -- endpoints -----------------------------------------------------------------------------

    def add_endpoint(
        self,
        conference: Conference,
        id: str,
        *,
        visitor: bool,
        sctp: bool,
        rewriting: bool = False,
        controlling: bool = True,
    ) -> Endpoint:
        """A new endpoint; one of that name that exists already is replaced."""
        if id in conference.endpoints:
            self.remove_endpoint(conference, id)
        journal = conference.journal.child(epId=id)
        transport = PeerTransport(self.ice, self.identity, journal, controlling=controlling)
        channel = Channel(
            self.totals.channel, lambda text: conference.messages.handle(made, text)
        )  # fmt: skip
        made = Endpoint(
            id, transport, Inbound(transport.send_rtcp, conference.video_ssrc),
            Receiver(Sender(transport), rewriting, channel.say), channel, visitor,
        )  # fmt: skip
        if sctp:
            made.data = DataChannel(transport, channel, journal)
        self._wire_endpoint(conference, made)
        conference.endpoints[id] = made
        conference.touch()
        self.totals.participants += 1
        self.totals.visitors += visitor
        journal.info("Endpoint.<init>#292", "Created new endpoint, iceControlling=true")
        return made

    def _wire_endpoint(self, conference: Conference, endpoint: Endpoint) -> None:
        events, switch = endpoint.transport.events, conference.switch
        events.rtp = partial(switch.endpoint_rtp, endpoint)
        events.rtcp = partial(switch.endpoint_rtcp, endpoint)
        events.ice_connected = self.totals.ice_connected
        events.ready = partial(_endpoint_ready, switch, endpoint)
        events.dtls_failed = self.totals.endpoint_dtls_failed
        endpoint.channel.on_connected = partial(switch.channel_connected, endpoint)

    def remove_endpoint(self, conference: Conference, id: str) -> None:
        """Expire an endpoint; nothing happens when it is not there."""
        endpoint = conference.endpoints.pop(id, None)
        if endpoint is None:
            return
        conference.switch.remove_owner(id)
        self.totals.gone(endpoint.transport)
        endpoint.close()
        conference.journal.child(epId=id).info("Endpoint.expire#1102", "Expired.")
        conference.touch()
        self.on_change()

    # -- relays --------------------------------------------------------------------------------

    def add_relay(
        self,
        conference: Conference,
        id: str,
        *,
        controlling: bool,
        sctp: str | None = None,
        own_port: bool = False,
    ) -> Relay:
        """A new relay to the bridge `id`; `sctp` is our role where there is a data channel."""
        journal = conference.journal.child(relayId=id)
        transport = PeerTransport(self.ice, self.identity, journal, controlling=controlling)
        if own_port:
            self.ice.open_own_port(transport.agent)
        channel = Channel(
            self.totals.channel, lambda text: conference.messages.handle_relayed(made, text)
        )  # fmt: skip
        made = Relay(
            id, transport, Inbound(transport.send_rtcp, conference.video_ssrc),
            Sender(transport), channel,
        )  # fmt: skip
        if sctp is not None:
            made.data = DataChannel(transport, channel, journal, client=sctp == "client")
            transport.events.ready = made.data.start
        events, switch = transport.events, conference.switch
        events.rtp = partial(switch.relay_rtp, made)
        events.rtcp = partial(switch.relay_rtcp, made)
        events.ice_connected = self.totals.ice_connected
        events.dtls_failed = self.totals.relay_dtls_failed
        conference.relays[id] = made
        conference.touch()
        self.totals.relays += 1
        conference.journal.info("Relay.<init>#160", f"Created new relay, id={id}")
        return made

    def remove_relay(self, conference: Conference, id: str) -> None:
        """Expire a relay; nothing happens when it is not there."""
        relay = conference.relays.pop(id, None)
        if relay is None:
            return
        for endpoint in relay.endpoints:
            conference.switch.remove_owner(endpoint)
        self.totals.relay_gone(relay.transport)
        relay.close()
        conference.touch()

    # -- the end -------------------------------------------------------------------------------

    def expire(self, conference: Conference) -> None:
        """End a conference with everything in it."""
        for id in list(conference.endpoints):
            self.remove_endpoint(conference, id)
        for id in list(conference.relays):
            self.remove_relay(conference, id)
        if self.conferences.pop(conference.meeting_id, None) is not None:
            self.totals.completed += 1
            self.totals.speaker_changes += conference.switch.speaker_changes
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

    def tick(self) -> None:
        """Whatever the conferences do by the clock."""
        now = time.monotonic()
        for conference in list(self.conferences.values()):
            conference.switch.tick(now)


def _endpoint_ready(switch: Switch, endpoint: Endpoint) -> None:
    if endpoint.data is not None:
        endpoint.data.start()
    switch.reallocate()
