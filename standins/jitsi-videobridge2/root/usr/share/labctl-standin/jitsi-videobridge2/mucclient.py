"""The bridge in its breweries: login, room, IQs (docs/facts/videobridge.md, 1, 10 and 11)."""

from __future__ import annotations

import asyncio

from bridge import VERSION, Bridge
from jitsilog import Journal
from jvbconfig import MucConfig
from muc import MucError, MucRoom
from stanzas import (
    COLIBRI,
    COLIBRI2,
    DTLS,
    HEALTHCHECK,
    ICE,
    Element,
    bare,
    el,
    iq_error,
    iq_result,
    normalise,
    render_xml,
)  # fmt: skip
from stanzas import (
    VERSION as VERSION_NS,
)
from xmppclient import Hooks, Identity, Timing, XmppClient

FEATURES = [HEALTHCHECK, DTLS, ICE, VERSION_NS]


class MucClient:
    """One configured XMPP connection."""

    def __init__(self, config: MucConfig, bridge: Bridge, journal: Journal) -> None:
        self.config = config
        self.bridge = bridge
        self.journal = journal.child(thread=30, id=config.id, hostname=config.account.host)
        self.client = XmppClient(
            config.account,
            self.journal,
            hooks=Hooks(
                authenticated=self._authenticated, disconnected=self._lost, failed=self._failed
            ),
            timing=Timing(first_retry=5.0, later_retry=1.0, reply=15.0, ping=30.0),
            identity=Identity("component", "conference", "JVB", FEATURES),
        )
        self.rooms = [
            MucRoom(self.client, room, config.nick, listener=lambda occupant, stanza: None)
            for room in config.mucs
        ]
        self.client.iq_handlers = {
            f"{{{COLIBRI2}}}conference-modify": self._colibri,
            f"{{{HEALTHCHECK}}}healthcheck": self._health,
            f"{{{VERSION_NS}}}query": self._version,
            f"{{{COLIBRI}}}graceful-shutdown": self._unavailable,
            f"{{{COLIBRI}}}force-shutdown": self._unavailable,
        }
        self._announce()

    def _announce(self) -> None:
        account = self.config.account
        self.journal.info(
            "MucClient.<init>#212",
            "Initializing a new MucClient for [ org.jitsi.xmpp.mucclient.MucClientConfiguration "
            f"id={self.config.id} domain={account.domain} hostname={account.host} "
            f"port={'null' if account.port == 5222 else account.port} username={account.username} "
            f"mucs=[{', '.join(self.config.mucs)}] mucNickname={self.config.nick} "
            f"disableCertificateVerification={str(not account.verify).lower()}]",
        )
        if not account.verify:
            self.journal.warning(
                "MucClient.createXMPPTCPConnectionConfiguration#134",
                "Disabling certificate verification!",
            )

    # -- connection ----------------------------------------------------------------------------

    def _authenticated(self, resumed: bool) -> None:
        sm = self.client.sm
        available = self.client.stream is not None and self.client.stream.sm_available
        self.journal.info(
            "MucClient$2.connected#317",
            f"Connected. isSmEnabled:{_word(sm.enabled)} isSmAvailable:{_word(available)} "
            f"isSmResumptionPossible:{_word(sm.can_resume)}",
        )
        self.journal.info("MucClient.lambda$getConnectAndLoginCallable$9#721", "Logging in.")
        self.journal.info(
            "MucClient$2.authenticated#323", f"Authenticated, resumed={_word(resumed)}"
        )
        if not resumed:
            for room in self.rooms:
                room.joined = False
                self.client.spawn(self._join(room))

    def _lost(self) -> None:
        self.journal.warning(
            "MucClient$2.connectionClosedOnError#341", "Closed on error: reconnecting."
        )

    def _failed(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        self.journal.warning(
            "MucClient.lambda$getConnectAndLoginCallable$9#708", f"Error connecting: {reason}"
        )

    async def _join(self, room: MucRoom) -> None:
        room.set_presence([self.stats_element()], send=False)
        try:
            own = await room.join()
        except (MucError, TimeoutError) as error:
            self.journal.warning(
                "MucClient$MucWrapper.join#840", f"Could not join {room.room}: {error}"
            )
            if self.client.stream is not None:
                self.client.stream.abort()  # the original, too, starts again from the connection
            return
        self.journal.info("MucClient$MucWrapper.join#826", f"Joined MUC: {room.room}")
        if "201" in own.codes:
            await room.configure(whois="anyone")

    # -- presence ------------------------------------------------------------------------------

    def stats_element(self) -> Element:
        """The statistics as a presence child."""
        stats = el(COLIBRI, "stats")
        for name, value in self.bridge.statistics().items():
            stats.append(el(COLIBRI, "stat", {"name": name, "value": value}))
        return stats

    def publish(self) -> None:
        """Send the current statistics to all breweries."""
        children = [self.stats_element()]
        for room in self.rooms:
            room.set_presence(children, send=self.client.registered)

    # -- IQs -----------------------------------------------------------------------------------

    def _allowed(self, request: Element) -> bool:
        sender = normalise(bare(request.get("from", "")))
        return any(sender == room.room for room in self.rooms)

    def _colibri(self, request: Element, modify: Element) -> Element:
        if not self._allowed(request):
            return iq_error(request, "forbidden")
        colibri = self.bridge.colibri
        conference = colibri.find_conference(modify)
        answer = colibri.handle(request, modify)
        conference = conference or colibri.find_conference(modify)
        journal = conference.journal if conference else self.bridge.journal.child(thread=60)
        where = "VideobridgeConference$ConferenceColibriQueue.handlePacket#120"
        journal.info(where, f"RECV colibri2 request: {render_xml(request)}")
        journal.info(where, f"SENT colibri2 response: {render_xml(answer)}")
        return answer

    def _health(self, request: Element, child: Element) -> Element:
        if not self._allowed(request):
            return iq_error(request, "forbidden")
        result = self.bridge.health
        if result.success:
            return iq_result(request)
        return iq_error(request, "internal-server-error", result.message)

    def _version(self, request: Element, child: Element) -> Element:
        if not self._allowed(request):
            return iq_error(request, "forbidden")
        answer = el(VERSION_NS, "query")
        for name, value in (("name", "JVB"), ("version", VERSION), ("os", "Linux")):
            answer.append(el(VERSION_NS, name, None, value))
        return iq_result(request, answer)

    def _unavailable(self, request: Element, child: Element) -> Element:
        condition = "service-unavailable" if self._allowed(request) else "forbidden"
        return iq_error(request, condition)


class Publisher:
    """Sends the statistics of all connections every interval."""

    def __init__(self, bridge: Bridge, clients: list[MucClient]) -> None:
        self._bridge = bridge
        self._clients = clients
        bridge.on_state = self.publish

    async def run(self) -> None:
        """Publish for ever."""
        interval = self._bridge.config.presence_interval
        self._bridge.journal.info(
            "MucPublisher.<init>#40", f"Starting with interval PT{interval:g}S."
        )
        while True:
            await asyncio.sleep(interval)
            self._bridge.measure()
            self.publish()

    def publish(self) -> None:
        """Publish now."""
        for client in self._clients:
            client.publish()


def _word(value: bool) -> str:
    return "true" if value else "false"
