"""The bridge brewery: the MUC that bridges join, and the health checks of its members."""

from __future__ import annotations

import asyncio

from bridges import Bridge
from jitsilog import Journal
from muc import MucError, MucRoom, Occupant
from selector import BridgeSelector
from services import Connection
from stanzas import COLIBRI, HEALTHCHECK, Element, bare, el, find, iq, parse_error, render_xml
from xmppclient import is_error

REJOIN_AFTER = 15.0


class Brewery:
    """Turns presence in the room into bridges of the selector."""

    def __init__(
        self, room: str, connection: Connection, selector: BridgeSelector, journal: Journal
    ) -> None:
        name = bare(room).partition("@")[0]
        self.journal = journal.child(thread=41, type="bridge", brewery=name)
        self.selector = selector
        self.connection = connection
        self.instances: set[str] = set()
        self._room_jid = room
        self._room: MucRoom | None = None
        self._cleaning: asyncio.TimerHandle | None = None
        self.journal.info("BaseBrewery.<init>#107", f"Initialized with JID={room}")
        connection.on_disconnected.append(self._disconnected)

    def _disconnected(self) -> None:
        loop = asyncio.get_running_loop()
        self._cleaning = loop.call_later(REJOIN_AFTER, self.clear)

    def keep(self) -> None:
        """The session was resumed: nothing was missed."""
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None

    def clear(self) -> None:
        """Forget the room and every instance."""
        self.keep()
        if self._room is not None:
            self._room.forget()
            self._room = None
        for jid in list(self.instances):
            self._remove(jid)

    async def join(self) -> None:
        """Join, and try again every 15 s until it works or the connection is gone."""
        while self.connection.registered and self._room is None:
            nick = self.connection.client.account.username
            room = MucRoom(self.connection.client, self._room_jid, nick, listener=self._presence)
            self._room = room
            try:
                own = await room.join()
            except (MucError, TimeoutError) as error:
                if self._room is room:
                    self._room = None
                self.journal.severe("BaseBrewery.start#210", f"Failed to join the room: {error}")
                await asyncio.sleep(REJOIN_AFTER)
                continue
            self.journal.info("BaseBrewery.start#199", "Joined the room.")
            await self._configure(room, own)

    async def _configure(self, room: MucRoom, own: Occupant) -> None:
        try:
            await room.configure(whois="anyone")
        except (MucError, TimeoutError) as error:
            self.journal.warning(
                "ChatRoomImpl.join#353", f"Cannot configure the room as {own.affiliation}: {error}"
            )

    def _presence(self, occupant: Occupant, stanza: Element) -> None:
        jid = stanza.get("from", "")
        if stanza.get("type") == "unavailable":
            if jid in self.instances:
                self._remove(jid)
            return
        element = find(stanza, COLIBRI, "stats")
        if element is None:
            return
        stats = {item.get("name", ""): item.get("value", "") for item in element}
        if jid not in self.instances:
            self.instances.add(jid)
            self.journal.info("BaseBrewery.addInstance#379", f"Added brewery instance: {jid}")
        self.selector.presence(jid, stats)

    def _remove(self, jid: str) -> None:
        self.instances.discard(jid)
        self.journal.info("BaseBrewery.removeInstance#391", f"Removed brewery instance: {jid}")
        self.selector.remove(jid)


class Doctor:
    """A health check per bridge: every 10 s, 15 s for an answer, a second try after 5 s."""

    def __init__(self, connection: Connection, selector: BridgeSelector, journal: Journal) -> None:
        self.connection = connection
        self.selector = selector
        self.settings = selector.settings
        self.journal = journal.child(thread=33)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        if self.settings.health_enabled:
            selector.events.added.append(self._added)
            selector.events.removed.append(self._removed)

    def _added(self, bridge: Bridge) -> None:
        self._tasks[bridge.jid] = asyncio.create_task(self._check_forever(bridge))
        self.journal.info("JvbDoctor.bridgeAdded#133", f"Scheduled health-check task for: {bridge}")

    def _removed(self, bridge: Bridge) -> None:
        task = self._tasks.pop(bridge.jid, None)
        if task is not None:
            task.cancel()
            self.journal.info(
                "JvbDoctor.bridgeRemoved#110", f"Stopping health-check task for: {bridge}"
            )

    async def _check_forever(self, bridge: Bridge) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.settings.health_interval
        while True:  # a fixed rate: a check that took long is followed by the next at once
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._check(bridge)
            due = max(due + self.settings.health_interval, loop.time())

    async def _ask(self, bridge: Bridge) -> Element | None:
        try:
            return await self.connection.client.ask(
                iq("get", bridge.jid, el(HEALTHCHECK, "healthcheck"))
            )
        except TimeoutError:
            return None

    async def _check(self, bridge: Bridge) -> None:
        if not self.connection.registered:
            return
        answer = await self._ask(bridge)
        if answer is None:
            self.journal.warning(
                "JvbDoctor$HealthCheckTask.doHealthCheck#225",
                f"{bridge} health-check timed out, but will give it another try after: "
                f"{self.settings.health_retry * 1000:.0f}",
            )
            await asyncio.sleep(self.settings.health_retry)
            answer = await self._ask(bridge)
        if answer is None:
            self.journal.warning(
                "JvbDoctor$HealthCheckTask.doHealthCheck#250",
                f"Health check timed out for: {bridge}",
            )
            self.selector.health_timed_out(bridge)
        elif not is_error(answer):
            self.selector.health_passed(bridge)
        else:
            self._failed(bridge, answer)

    def _failed(self, bridge: Bridge, answer: Element) -> None:
        error = answer.find("{jabber:client}error")
        text = render_xml(error) if error is not None else ""
        if parse_error(answer)[0] in ("internal-server-error", "service-unavailable"):
            self.journal.warning(
                "JvbDoctor$HealthCheckTask.doHealthCheck#276",
                f"Health check failed for: {bridge}: {text}",
            )
            self.selector.health_failed(bridge)
        else:
            self.journal.severe(
                "JvbDoctor$HealthCheckTask.doHealthCheck#283",
                f"Unexpected error returned by the bridge: {bridge}, err: {render_xml(answer)}",
            )
