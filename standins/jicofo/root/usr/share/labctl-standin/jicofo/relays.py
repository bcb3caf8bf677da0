"""Relays between the bridges of one conference: a full mesh (colibri2 `relay`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import colibri
from colibri import ColibriError
from stanzas import Element

if TYPE_CHECKING:
    from sessions import ColibriSessions, Endpoint, Session


class RelayMesh:
    """Keeps every two sessions of a conference connected; does nothing while there is one."""

    def __init__(self, owner: ColibriSessions) -> None:
        self._owner = owner
        self._linked: set[frozenset[str]] = set()
        self._created: set[tuple[str, str]] = set()  # (on which bridge, to which)

    def _others(self, session: Session) -> list[Session]:
        return [
            other
            for other in self._owner.sessions.values()
            if other is not session and other.bridge.relay_id and session.bridge.relay_id
        ]

    def session_added(self, session: Session) -> None:
        """Connect a new session with the existing ones; its conference exists already."""
        for other in self._others(session):
            pair = frozenset((session.bridge.jid, other.bridge.jid))
            if other.created and pair not in self._linked:
                self._linked.add(pair)
                self._owner.spawn(self._link(session, other))

    async def _link(self, ours: Session, theirs: Session) -> None:
        """Both sides allocate, then each gets the other's transport; `ours` initiates."""
        sctp = self._owner.selector.settings.sctp
        try:
            first, second = await asyncio.gather(
                self._create(ours, theirs, controlling=True, sctp=sctp),
                self._create(theirs, ours, controlling=False, sctp=sctp),
            )
            await asyncio.gather(
                self._connect(ours, theirs, second, controlling=True),
                self._connect(theirs, ours, first, controlling=False),
            )
        except (ColibriError, TimeoutError) as error:
            self._linked.discard(frozenset((ours.bridge.jid, theirs.bridge.jid)))
            sessions = self._owner.sessions.values()
            if ours not in sessions or theirs not in sessions:
                return  # the conference has ended on one of them meanwhile
            ours.journal.severe(
                "Colibri2Session$Relay.start#520", f"Failed to create a relay: {error!r}"
            )

    async def _create(self, on: Session, to: Session, *, controlling: bool, sctp: bool) -> Element:
        endpoints = [one.remote() for one in to.endpoints.values() if not one.visitor]
        relay_id = str(to.bridge.relay_id)
        element = colibri.create_relay(relay_id, endpoints, controlling=controlling, sctp=sctp)
        request = colibri.modify(on.bridge.jid, self._owner.meeting, element)
        # Whatever is sent from now on arrives after the creation.
        self._created.add((on.bridge.jid, to.bridge.jid))
        return colibri.parse_relay(await self._owner.connection.client.ask(request), relay_id)

    async def _connect(
        self, on: Session, to: Session, transport: Element, *, controlling: bool
    ) -> None:
        setup = "active" if controlling else "passive"
        theirs = colibri.relay_transport(transport, controlling=controlling, setup=setup)
        await self._ask(on, colibri.update_relay(str(to.bridge.relay_id), theirs))

    async def _ask(self, on: Session, element: Element) -> None:
        request = colibri.modify(on.bridge.jid, self._owner.meeting, element)
        colibri.check_answer(await self._owner.connection.client.ask(request))

    def _tell(self, session: Session, element: Element) -> None:
        """Send to the bridges that are linked with `session`; what fails is logged."""
        for other in self._others(session):
            if (other.bridge.jid, session.bridge.jid) in self._created:
                relay = colibri.update_relay(str(session.bridge.relay_id), element)
                self._owner.spawn(self._logged(other, relay))

    async def _logged(self, on: Session, element: Element) -> None:
        try:
            await self._ask(on, element)
        except (ColibriError, TimeoutError) as error:
            on.journal.warning(
                "Colibri2Session$Relay.update#590", f"Relay update failed: {error!r}"
            )

    def endpoint_added(self, session: Session, endpoint: Endpoint) -> None:
        """The other bridges learn of a new endpoint; a visitor is nothing to them."""
        if not endpoint.visitor:
            self._tell(session, colibri.remote_endpoints([endpoint.remote()], create=True))

    def sources_changed(self, session: Session, endpoint: Endpoint) -> None:
        """The other bridges learn of an endpoint's sources."""
        self._tell(session, colibri.remote_endpoints([endpoint.remote()]))

    def endpoint_removed(self, session: Session, id: str) -> None:
        """The other bridges forget an endpoint."""
        gone = colibri.remote_endpoints([])
        gone.extend(colibri.expire_endpoints([id]))
        self._tell(session, gone)

    def session_removed(self, session: Session) -> None:
        """The other bridges close their relay to this one."""
        for other in self._others(session):
            pair = frozenset((session.bridge.jid, other.bridge.jid))
            if pair in self._linked:
                relay = colibri.update_relay(str(session.bridge.relay_id))
                relay.set("expire", "true")
                self._owner.spawn(self._logged(other, relay))
        jid = session.bridge.jid
        self._linked = {pair for pair in self._linked if jid not in pair}
        self._created = {pair for pair in self._created if jid not in pair}

    def linked_with(self, session: Session) -> list[str]:
        """Relay ids of the bridges that a session is connected with."""
        return [
            str(other.bridge.relay_id)
            for other in self._others(session)
            if frozenset((session.bridge.jid, other.bridge.jid)) in self._linked
        ]

    def clear(self) -> None:
        """The conference is over."""
        self._linked.clear()
        self._created.clear()
