"""The bridges of one conference: colibri2 sessions, allocation, relays between them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import colibri
from bridges import Bridge, Properties
from colibri import Allocation, ColibriError, EndpointOffer, Meeting, RemoteEndpoint
from jitsilog import Journal
from relays import RelayMesh
from selector import BridgeSelector
from services import Connection
from sources import SourceSet
from stanzas import Element
from strategies import Used


class NoBridge(Exception):
    """There is no bridge for a participant; the reason is in the log."""


class AllocationFailed(Exception):
    """The bridge did not allocate; what follows from it has been done already."""


@dataclass(slots=True)
class Endpoint:
    """A participant's place on a bridge."""

    id: str
    stats_id: str | None
    visitor: bool
    sources: SourceSet = field(default_factory=SourceSet)

    def remote(self) -> RemoteEndpoint:
        """As the other bridges are told."""
        return RemoteEndpoint(self.id, self.stats_id, self.sources)


@dataclass(slots=True, eq=False)
class Session:
    """The conference on one bridge."""

    bridge: Bridge
    journal: Journal
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: bool = False
    endpoints: dict[str, Endpoint] = field(default_factory=dict)


@dataclass(slots=True)
class Listener:
    """What the conference wants to know."""

    bridge_removed: Callable[[Bridge, list[str]], None]
    endpoint_removed: Callable[[str], None]


class ColibriSessions:
    """All sessions of a conference, by the bridge's JID."""

    def __init__(
        self,
        selector: BridgeSelector,
        connection: Connection,
        journal: Journal,
        listener: Listener,
    ) -> None:
        self.selector = selector
        self.connection = connection
        self.journal = journal
        self.listener = listener
        self.meeting = Meeting("", "")
        self.sessions: dict[str, Session] = {}
        self.mesh = RelayMesh(self)

    def session_of(self, id: str) -> Session | None:
        """Where an endpoint is."""
        return next((one for one in self.sessions.values() if id in one.endpoints), None)

    def use(self) -> dict[str, Used]:
        """The conference's operational bridges, for selection."""
        return {
            jid: Used(
                len(one.endpoints),
                visitor=any(endpoint.visitor for endpoint in one.endpoints.values()),
            )
            for jid, one in self.sessions.items()
            if one.bridge.operational
        }

    def _choose(self, offer: EndpointOffer, region: str | None, journal: Journal) -> Session:
        used = self.use()
        version = next((self.sessions[jid].bridge.full_version for jid in used), None)
        who = Properties(region, visitor=offer.visitor)
        bridge = self.selector.select(used, who, version=version, journal=journal)
        if bridge is None:
            raise NoBridge
        session = self.sessions.get(bridge.jid)
        known = session is not None
        if session is None:
            if self.sessions and not self.selector.settings.octo:
                journal.severe(
                    "ColibriV2SessionManager.getOrCreateSession#552",
                    "A new bridge was selected, but Octo is disabled",
                )
                raise NoBridge
            session = Session(bridge, self.journal.child(bridge=bridge.nick))
            self.sessions[bridge.jid] = session
        journal.info(
            "ColibriV2SessionManager.allocate#570",
            f"Selected {bridge.nick} for {offer.id} (visitor={str(offer.visitor).lower()}, "
            f"session exists: {str(known).lower()})",
        )
        return session

    async def allocate(
        self, offer: EndpointOffer, region: str | None, journal: Journal
    ) -> tuple[Session, Allocation]:
        """A place for a participant; raises NoBridge or AllocationFailed."""
        journal.info("ColibriV2SessionManager.allocate#524", f"Allocating for {offer.id}")
        session = self._choose(offer, region, journal)
        endpoint = Endpoint(offer.id, offer.stats_id, offer.visitor)
        session.endpoints[offer.id] = endpoint
        session.bridge.endpoint_added()
        request = colibri.modify(
            session.bridge.jid, self.meeting, colibri.create_endpoint(offer),
            create=not session.created,
        )  # fmt: skip
        fresh, session.created = not session.created, True
        reply = self.connection.client.ask(request)
        try:
            answer = await reply
            allocation = colibri.parse_allocation(answer, offer.id, sctp=offer.sctp)
        except (TimeoutError, ColibriError) as error:
            self._allocation_failed(session, offer.id, error, journal)
            raise AllocationFailed from error
        if session.endpoints.get(offer.id) is not endpoint:
            raise AllocationFailed  # removed meanwhile
        if fresh:
            self.mesh.session_added(session)
        self.mesh.endpoint_added(session, endpoint)
        return session, allocation

    def _allocation_failed(
        self, session: Session, id: str, error: Exception, journal: Journal
    ) -> None:
        text = "Timeout" if isinstance(error, TimeoutError) else str(error)
        journal.severe(
            "ColibriV2SessionManager.allocate#639",
            f"Failed to allocate a colibri2 endpoint for {id}: {text}",
        )
        if id in session.endpoints:
            self._failed(session, error)

    def _failed(self, session: Session, error: Exception) -> None:
        """What follows from a failed request (docs/facts/signalling.md, 7)."""
        bridge = session.bridge
        if isinstance(error, ColibriError):
            if error.reason == "unknown_endpoint" and error.endpoint:
                self.listener.endpoint_removed(error.endpoint)
                return
            if error.condition == "bad-request" or (
                error.condition == "item-not-found" and not error.reason
            ):
                return
            if error.reason == "graceful_shutdown":
                bridge.graceful = True
            elif error.reason == "conference_already_exists":
                session.journal.warning(
                    "ColibriV2SessionManager.handleRequestFailed#700",
                    "Can not allocate colibri channels, conference already exists.",
                )
                self._send(session, expire=True)
            elif error.reason != "conference_not_found":
                bridge.set_operational(False)
        else:
            bridge.set_operational(False)
        if self.sessions.get(bridge.jid) is session:
            self.listener.bridge_removed(bridge, self.remove_bridge(bridge))

    def remove_bridge(self, bridge: Bridge) -> list[str]:
        """Forget the session on a bridge; gives the participants that were on it."""
        session = self.sessions.pop(bridge.jid, None)
        if session is None:
            return []
        ids = list(session.endpoints)
        for _ in ids:
            bridge.endpoint_removed()
        session.endpoints.clear()
        self.mesh.session_removed(session)
        self.journal.info(
            "ColibriV2SessionManager.removeBridges#924", f"Removing bridges: {bridge}"
        )
        self.journal.info(
            "ColibriV2SessionManager.removeBridges#929", f"Removed participants: [{', '.join(ids)}]"
        )
        return ids

    def update(
        self, id: str, *, transport: Element | None = None, sources: SourceSet | None = None
    ) -> None:
        """Tell the bridge a participant's transport or sources; does not wait."""
        session = self.session_of(id)
        if session is None:
            return
        if sources is not None:
            session.endpoints[id].sources = sources
            self.mesh.sources_changed(session, session.endpoints[id])
        element = colibri.update_endpoint(id, transport=transport, sources=sources)
        self._send(session, element)

    def remove(self, id: str) -> None:
        """Expire a participant's endpoint; the conference too, where it was the last."""
        session = self.session_of(id)
        if session is None:
            return
        gone = session.endpoints.pop(id)
        session.bridge.endpoint_removed()
        if session.endpoints:
            self._send(session, *colibri.expire_endpoints([id]))
            if not gone.visitor:
                self.mesh.endpoint_removed(session, id)
            return
        # The bridge would keep a conference that still has relays, and refuse to create it again.
        self._send(session, expire=True)
        self.sessions.pop(session.bridge.jid, None)
        self.mesh.session_removed(session)

    def expire(self) -> None:
        """Expire the conference on all bridges."""
        for session in list(self.sessions.values()):
            for _ in session.endpoints:
                session.bridge.endpoint_removed()
            self._send(session, expire=True)
        self.sessions.clear()
        self.mesh.clear()

    def _send(self, session: Session, *children: Element, expire: bool = False) -> None:
        request = colibri.modify(session.bridge.jid, self.meeting, *children, expire=expire)
        self.spawn(self._checked(session, request))

    def spawn(self, work: Awaitable[None]) -> None:
        """Run beside the caller."""
        self.connection.client.spawn(work, where="ColibriV2SessionManager.send#1")

    async def _checked(self, session: Session, request: Element) -> None:
        try:
            colibri.check_answer(await self.connection.client.ask(request))
        except TimeoutError:
            session.journal.severe(
                "Colibri2Session.sendRequest#442", "updateParticipant request timed out. Ignoring."
            )
        except ColibriError as error:
            if self.sessions.get(session.bridge.jid) is session:
                session.journal.severe(
                    "Colibri2Session.sendRequest#450", f"Received error response: {error}"
                )
                self._failed(session, error)
