"""A conference: its rooms, members, beginning and end (docs/facts/jicofo.md, 5, 9 and 10)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridges import Bridge
from chatroom import ChatRoom, Member, Role, RoomListener, etherpad
from context import Context
from invites import Invites
from moderation import Moderation
from muc import MucError
from participant import Participant
from stanzas import FOCUS, JITMEET, Element, el, normalise
from visitors import Room, RoomMetadata
from visitrooms import VisitorRooms

SWITCHING = "switch_room"
"""The status of who leaves for a breakout room."""


@dataclass(frozen=True, slots=True)
class StartMuted:
    """After how many participants newcomers start muted."""

    audio: int | None = None
    video: int | None = None


class Conference:
    """One room's conference."""

    def __init__(
        self,
        context: Context,
        room: str,
        properties: Mapping[str, str],
        ended: Callable[[Conference], None],
        *,
        has_breakouts: Callable[[str], bool],
    ) -> None:
        self.context = context
        self.room_jid = room
        self.journal = context.journal.child(thread=44, room=room)
        self.metadata = RoomMetadata()
        self.moderation = Moderation()
        self.meeting_id = ""
        self.ready = False
        self.stopped = False
        self.presets = asyncio.Event()
        self.start_muted = StartMuted(
            _whole(properties.get("startAudioMuted")), _whole(properties.get("startVideoMuted"))
        )
        self._ended = ended
        self._has_breakouts = has_breakouts
        self._listener = RoomListener(self._joined, self._left, self._room_removed)
        self.main = ChatRoom(context.main, room, None, self._listener)
        self.visitors = VisitorRooms(self, self._listener)
        self.properties: dict[str, str] = {}
        self._initial: asyncio.TimerHandle | None = None
        self._single: asyncio.TimerHandle | None = None
        self._tell_no_bridge = False
        self.invites = Invites(self)
        self.journal.info("JitsiMeetConferenceImpl.<init>#355", "Created new conference.")

    # -- begin ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the main room; raises MucError or TimeoutError."""
        self.journal.info("JitsiMeetConferenceImpl.joinTheRoom#546", f"Joining {self.room_jid}")
        self.properties["support-terminate-restart"] = "true"
        self.properties["visitors-enabled"] = _word(self.context.visitors.enabled)
        await self.main.join(self.presence())
        if not self.main.info.meeting_id:
            self.journal.warning(
                "JitsiMeetConferenceImpl.joinTheRoom#600",
                "No meetingId set for the MUC. Generating one locally.",
            )
        self.meeting_id = self.main.info.meeting_id or str(uuid.uuid4())
        self.journal.add(meeting_id=self.meeting_id)
        self.invites.name_meeting(self.meeting_id, self.room_jid)
        if self.main.info.presets:
            try:
                await asyncio.wait_for(self.presets.wait(), 10)
            except TimeoutError:
                self.journal.warning("JitsiMeetConferenceImpl.joinTheRoom#605", "No room metadata.")
        self.ready = True
        own = self.main.muc.own
        if own is not None and own.affiliation != "owner":
            self.journal.warning(
                "JitsiMeetConferenceImpl.ownerCheck#2840",
                f"Not an owner but {own.affiliation}, stopping.",
            )
            self.stop()
            return
        self.main.muc.set_presence(self.presence())
        for member in list(self.main.members.values()):
            self._welcome(self.main, member)

    def rearm(self) -> None:
        """A request came: wait again for somebody to join."""
        if self._initial is not None:
            self._initial.cancel()
        if not self.main.members:
            delay = self.context.config.conference.initial_timeout
            self._initial = asyncio.get_running_loop().call_later(delay, self._nobody_came)

    def _nobody_came(self) -> None:
        if not self.main.members and not self._has_breakouts(self.room_jid):
            self.journal.info(
                "JitsiMeetConferenceImpl.start#470", "Expiring due to initial timeout."
            )
            self.stop()

    # -- presence ------------------------------------------------------------------------------

    def presence(self) -> list[Element]:
        """What the focus' presence carries."""
        version = el(JITMEET, "component", {"name": "focus"}, self.context.version)
        properties = el(FOCUS, "conference-properties")
        for key, value in self.properties.items():
            properties.append(el(FOCUS, "property", {"key": key, "value": value}))
        children = [etherpad(self.room_jid), el(JITMEET, "versions", None, version), properties]
        if self._tell_no_bridge:
            children.append(el(FOCUS, "bridgeNotAvailable"))
        return children

    def set_property(self, key: str, value: str) -> None:
        """A conference property; sent when it changed."""
        if self.properties.get(key) != value:
            self.properties[key] = value
            self.main.muc.set_presence(self.presence())

    def bridge_available(self, there_is: bool) -> None:
        """Whether the last selection found a bridge, for the clients to show."""
        if self._tell_no_bridge == there_is:
            self._tell_no_bridge = not there_is
            self.main.muc.set_presence(self.presence())

    # -- members -------------------------------------------------------------------------------

    def _joined(self, room: ChatRoom, member: Member) -> None:
        self.journal.info(
            "JitsiMeetConferenceImpl.onMemberJoined#860",
            member.line("main" if room.vnode is None else room.jid),
        )
        if room.vnode is not None:
            self.visitors.joined(room.vnode)
        elif self._initial is not None:
            self._initial.cancel()
            self._initial = None
        if self.ready:
            self._welcome(room, member)

    def _welcome(self, room: ChatRoom, member: Member) -> None:
        if room.vnode is None:
            self._own(member)
        if member.role is Role.VISITOR and room.vnode is None and not self.context.visitors.enabled:
            self.journal.info(
                "JitsiMeetConferenceImpl.inviteChatMember#930",
                f"Ignoring a visitor because visitors are not configured:{member.id}",
            )
            return
        self.check_minimum()

    def _own(self, member: Member) -> None:
        """Whoever has logged in owns the room; where nobody does, the first who came."""
        if self._elects:
            self._elect_owner()
        elif member.role is not Role.OWNER and self.context.authority.has_session(member.jid):
            member.role = Role.OWNER
            self.main.connection.client.spawn(self._grant(self.main.member_jid(member) or ""))

    def _elect_owner(self) -> None:
        members = list(self.main.members.values())
        if any(member.role is Role.OWNER for member in members):
            return
        for member in members:
            jid = self.main.member_jid(member)
            if jid is not None and member.role is not Role.VISITOR and member.counts:
                self.journal.info(
                    "ChatRoomRoleManager.electNewOwner#102",
                    f"Electing new owner: ChatMember[id={member.id} role={member.role}]",
                )
                member.role = Role.OWNER
                self.main.connection.client.spawn(self._grant(jid))
                return

    async def _grant(self, jid: str) -> None:
        try:
            await self.main.muc.grant_owner(jid)
        except (MucError, TimeoutError) as error:
            self.journal.severe(
                "ChatRoomImpl.grantOwnership#389", f"Cannot grant ownership: {error}"
            )

    def members(self) -> list[tuple[ChatRoom, Member]]:
        """Everybody who takes part, main participants first."""
        rooms = [self.main, *self.visitors.rooms.values()]
        return [(room, member) for room in rooms for member in room.members.values()]

    def check_minimum(self) -> None:
        """Invite whoever is not yet invited, once there are enough."""
        members = self.members()
        if len(members) < self.context.config.conference.min_participants:
            return
        if self._single is not None:
            self._single.cancel()
            self._single = None
        for room, member in members:
            self.invites.ensure(room, member)

    def _left(self, room: ChatRoom, member: Member) -> None:
        self.journal.info("JitsiMeetConferenceImpl.onMemberLeft#1080", f"Member left:{member.id}")
        self.invites.member_left(member)
        if room.vnode is not None:
            self.visitors.count_soon()
        elif self._elects and self.main.members:
            self._elect_owner()
        if not self.main.members:
            self._maybe_stop(member)
        elif len(self.members()) == 1:
            self._schedule_single()

    @property
    def main_room(self) -> str | None:
        """The main room of a breakout room."""
        return self.main.info.main_room

    @property
    def _elects(self) -> bool:
        """Not in a breakout room, nor where people log in: they own the rooms."""
        if self.context.authority.domain is not None or self.main.info.breakout:
            return False
        return self.context.config.conference.auto_owner

    def _maybe_stop(self, last: Member | None) -> None:
        """Nobody is left: the end, unless the last ones are in breakout rooms or on their way."""
        where = "JitsiMeetConferenceImpl.maybeStop#"
        if self._has_breakouts(self.room_jid):
            self.journal.info(where + "1124", "Breakout rooms still present, will not stop.")
        elif last is not None and last.status == SWITCHING:
            self.journal.info(where + "1130", "Member moving to breakout room, will not stop.")
            self.rearm()
        else:
            self.journal.info(where + "1135", "Last member left, stopping.")
            self.stop()

    def breakout_ended(self) -> None:
        """One of this conference's breakout rooms is over."""
        if not self.main.members and not self.stopped:
            self._maybe_stop(None)

    def _schedule_single(self) -> None:
        if self._single is None:
            self.journal.info(
                "JitsiMeetConferenceImpl.rescheduleSingleParticipantTimeout#2321",
                "Scheduled single person timeout.",
            )
            delay = self.context.config.conference.single_timeout
            self._single = asyncio.get_running_loop().call_later(delay, self._time_out_single)

    def _time_out_single(self) -> None:
        self._single = None
        members = self.members()
        if len(members) == 1:
            where = "JitsiMeetConferenceImpl.timeoutSingleParticipant#2365"
            self.journal.info(where, f"Timing out single participant: {members[0][1].id}")
            self.invites.dismiss_all("expired", "Idle session timeout")
            self.journal.info("ColibriV2SessionManager.expire#300", "Expiring.")
            self.invites.sessions.expire()

    def _room_removed(self, room: ChatRoom) -> None:
        """We are no longer in a room: it was destroyed, or somebody threw us out."""
        if room.vnode is None:
            self.journal.warning(
                "JitsiMeetConferenceImpl.roomDestroyed#640", "The room was destroyed, stopping."
            )
            self.stop()
            return
        for member in list(room.members.values()):
            self.invites.member_left(member)
        room.muc.forget()
        self.visitors.removed(room.vnode)

    def room_state(self) -> Room:
        """What the redirection decides by."""
        count = sum(member.counts for member in self.main.members.values())
        return Room(count, bool(self.visitors.rooms), self.main.info.breakout, self.metadata)

    # -- events --------------------------------------------------------------------------------

    def find(self, room: str, nick: str) -> Participant | None:
        """The participant behind an occupant's address."""
        participant = self.invites.participants.get(nick)
        if participant is not None and participant.room.jid == normalise(room):
            return participant
        return None

    def bridge_gone(self, bridge: Bridge, why: str) -> None:
        """A bridge left the brewery or says that it is unhealthy."""
        self.invites.bridge_gone(bridge, why)

    def stop(self) -> None:
        """End the conference; rooms are left in the background."""
        if self.stopped:
            return
        self.stopped = True
        self._ended(self)
        self.context.authority.conference_ended(self.room_jid)
        for timer in (self._initial, self._single):
            if timer is not None:
                timer.cancel()
        self.invites.dismiss_all("gone", "", send=False)
        self.invites.sessions.expire()
        self.visitors.stop()
        self.context.track(self._leave_rooms())

    async def _leave_rooms(self) -> None:
        rooms = [self.main, *self.visitors.rooms.values()]
        results = await asyncio.gather(
            *(room.muc.leave() for room in rooms if room.connection.registered),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, Exception):
                self.journal.severe(
                    "ChatRoomImpl.leave#420", f"Failed to leave the MUC: {type(result).__name__}"
                )
        for room in rooms:
            room.muc.forget()
        self.journal.info("JitsiMeetConferenceImpl.stop#612", "Stopped.")


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _word(value: bool) -> str:
    return "true" if value else "false"
