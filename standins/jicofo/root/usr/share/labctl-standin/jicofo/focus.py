"""All conferences: created by requests, told about bridges and reconnections, gone at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from bridges import Bridge
from conference import Conference
from context import Context
from moderation import ModerationHandler
from participant import Participant
from stanzas import JITMEET, Element, find, normalise

RESUME_TIMEOUT = 15.0


class FocusManager:
    """Conferences by room JID."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.conferences: dict[str, Conference] = {}
        self.moderation = ModerationHandler(self)
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._waiting: asyncio.TimerHandle | None = None
        events = context.selector.events
        events.added.append(self._bridge_added)
        events.removed.append(lambda bridge: self._bridge_gone(bridge, "was removed"))
        events.failed.append(lambda bridge: self._bridge_gone(bridge, "failed health check"))
        events.shutting_down.append(self._bridge_shutting_down)
        context.main.client.message_handler = self._message
        context.main.on_disconnected.append(self._disconnected)

    async def request(self, room: str, properties: Mapping[str, str]) -> Conference:
        """The conference of a room, created when it is new; raises what joining raised."""
        jid = normalise(room)
        self.context.counters.requests += 1
        conference = self.conferences.get(jid)
        if conference is None:
            self.context.counters.new_requests += 1
            self.context.counters.conferences += 1
            conference = Conference(
                self.context, jid, properties, self._ended, has_breakouts=self.has_breakouts
            )
            self.conferences[jid] = conference
            self._starting[jid] = asyncio.create_task(self._start(conference))
        starting = self._starting.get(jid)
        if starting is not None:
            await asyncio.shield(starting)
        conference.rearm()
        return conference

    async def _start(self, conference: Conference) -> None:
        try:
            await conference.start()
        except BaseException:
            conference.stop()
            raise
        finally:
            self._starting.pop(conference.room_jid, None)

    def _ended(self, conference: Conference) -> None:
        if self.conferences.get(conference.room_jid) is conference:
            del self.conferences[conference.room_jid]
        main = self.conferences.get(conference.main_room or "")
        if main is not None:
            main.breakout_ended()

    def has_breakouts(self, room: str) -> bool:
        """Whether a breakout room of this room is a conference now."""
        return any(one.main_room == room for one in self.conferences.values())

    # -- lookups -------------------------------------------------------------------------------

    def find_participant(self, room: str, nick: str) -> Participant | None:
        """The participant behind an occupant's address, in a main or a visitor room."""
        for conference in self._candidates(normalise(room)):
            participant = conference.find(room, nick)
            if participant is not None:
                return participant
        return None

    def _candidates(self, room: str) -> list[Conference]:
        direct = self.conferences.get(room)
        if direct is not None:
            return [direct]
        main = self.context.config.xmpp.xmpp_domain
        for vnode in self.context.vnodes.values():
            mapped = self.conferences.get(room.replace(vnode.xmpp_domain, main))
            if vnode.xmpp_domain in room and mapped is not None:
                return [mapped]
        return []

    def conference_of(self, participant: Participant) -> Conference:
        """The conference that a participant found by `find_participant` is in."""
        return self._candidates(participant.room.jid)[0]

    # -- bridges -------------------------------------------------------------------------------

    def _bridge_added(self, bridge: Bridge) -> None:
        for conference in list(self.conferences.values()):
            conference.invites.bridge_up(bridge)

    def _bridge_gone(self, bridge: Bridge, why: str) -> None:
        for conference in list(self.conferences.values()):
            conference.bridge_gone(bridge, why)

    def _bridge_shutting_down(self, bridge: Bridge) -> None:
        for conference in list(self.conferences.values()):
            session = conference.invites.sessions.sessions.get(bridge.jid)
            if session is not None:
                ids = ", ".join(session.endpoints)
                conference.journal.info(
                    "JitsiMeetConferenceImpl$BridgeSelectorEventHandler.bridgeIsShuttingDown#2660",
                    f"Bridge {bridge.jid} is shutting down, re-inviting [{ids}]",
                )
                conference.bridge_gone(bridge, "is shutting down")

    # -- connection ----------------------------------------------------------------------------

    def _disconnected(self) -> None:
        for conference in self.conferences.values():
            where = "JitsiMeetConferenceImpl.registrationChanged#1199"
            conference.journal.info(where, "XMPP disconnected.")
            conference.journal.info(where, "XMPP will wait for a reconnect.")
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(RESUME_TIMEOUT, self._gave_up)

    def _gave_up(self) -> None:
        self._waiting = None
        self._stop_all("Did not reconnect in time, give up and stop.")

    def reconnected(self, resumed: bool) -> None:
        """The main connection is back: as it was, or conferences end."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if resumed:
            for conference in self.conferences.values():
                conference.journal.info(
                    "JitsiMeetConferenceImpl.registrationChanged#1215", "Resumed connection."
                )
        else:
            self._stop_all("Reconnected without resuming, give up and stop.")

    def _stop_all(self, why: str) -> None:
        for conference in list(self.conferences.values()):
            conference.journal.severe("JitsiMeetConferenceImpl.registrationChanged#1229", why)
            conference.stop()

    # -- room metadata -------------------------------------------------------------------------

    def _message(self, stanza: Element) -> None:
        components = {
            component.kind: component.address for component in self.context.main.components
        }
        if self.moderation.take(stanza, components.get("av_moderation")):
            return
        carrier = find(stanza, JITMEET, "json-message")
        if carrier is None or stanza.get("from") != components.get("room_metadata"):
            return
        conference = self.conferences.get(normalise(carrier.get("room", "")))
        try:
            tree = json.loads(carrier.text or "")
            if conference is not None and tree["type"] == "room_metadata":
                self._metadata(conference, tree["metadata"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.context.journal.warning(
                "RoomMetadataHandler.processStanza#60", f"Cannot read room metadata: {error!r}"
            )

    def _metadata(self, conference: Conference, tree: dict[str, object]) -> None:
        known, where = conference.metadata, "ChatRoomImpl.setRoomMetadata#"
        conference.journal.info(where + "173", f"Setting room metadata: RoomMetadata({tree})")
        visitors = tree.get("visitors")
        live = isinstance(visitors, dict) and visitors.get("live") is True
        if live != known.live:
            conference.journal.info(where + "180", f"VisitorsLive is now: {str(live).lower()}")
        known.live = live
        enabled = tree.get("visitorsEnabled")
        if isinstance(enabled, bool) and enabled != known.visitors_enabled:
            known.visitors_enabled = enabled
            conference.journal.info(where + "184", f"Visitors is now: {str(enabled).lower()}")
        limit = tree.get("participantsSoftLimit")
        if isinstance(limit, int) and limit != known.soft_limit:
            known.soft_limit = limit
            conference.journal.info(where + "188", f"ParticipantsSoftLimit is now {limit}.")
        lobby = tree.get("lobbyEnabled") is True
        if lobby != known.lobby:
            word = "enabled" if lobby else "disabled"
            conference.journal.info(where + "192", f"Lobby is now {word}.")
        known.lobby = lobby
        moderators, participants = tree.get("moderators"), tree.get("participants")
        known.moderators = tuple(map(str, moderators)) if isinstance(moderators, list) else ()
        known.participants = (
            tuple(map(str, participants)) if isinstance(participants, list) else None
        )
        conference.presets.set()
