"""Inviting the participants of one conference, moving them, ending their sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridges import Bridge
from chatroom import ChatRoom, Member
from colibri import Allocation, EndpointOffer, Meeting
from offer import Offer, render_offer
from participant import JingleState, Participant
from sessions import AllocationFailed, ColibriSessions, Listener, NoBridge, Session
from sources import ConferenceSources, SourceSet
from stanzas import parse_error
from xmppclient import is_error

if TYPE_CHECKING:
    from conference import Conference


class Invites:
    """Participants by id, and what they send."""

    def __init__(self, conference: Conference) -> None:
        self.conference = conference
        self.context = conference.context
        self.journal = conference.journal
        self.participants: dict[str, Participant] = {}
        self.sources = ConferenceSources()
        self.bridge_sources: dict[str, SourceSet] = {}
        self._discovering: dict[str, asyncio.Task[None]] = {}
        self.sessions = ColibriSessions(
            self.context.selector,
            self.context.main,
            self.journal,
            Listener(self._bridge_failed, self._endpoint_lost),
        )

    def name_meeting(self, meeting_id: str, room: str) -> None:
        """Known after the room was joined."""
        self.sessions.meeting = Meeting(meeting_id, room)

    # -- invitation ----------------------------------------------------------------------------

    def ensure(self, room: ChatRoom, member: Member) -> None:
        """Invite a member that is not yet invited."""
        if member.id in self._discovering or member.id in self.participants:
            return
        self._discovering[member.id] = asyncio.create_task(self._discover(room, member))

    async def _discover(self, room: ChatRoom, member: Member) -> None:
        try:
            features = await self.context.features.discover(
                member, room.connection.client, self.journal
            )
        finally:
            self._discovering.pop(member.id, None)
        if self.conference.stopped or member.id not in room.members:
            return
        self.journal.info(
            "JitsiMeetConferenceImpl.inviteChatMember#933",
            f"Creating participant {member.id} with features=[{', '.join(sorted(features))}]",
        )
        journal = self.journal.child(participant=member.id)
        participant = Participant(room.members[member.id], room, features, journal)
        self.participants[member.id] = participant
        self.context.counters.participants += 1
        self._invite(participant)

    def _invite(self, participant: Participant) -> None:
        participant.inviting = asyncio.create_task(self._run_invite(participant))

    async def _run_invite(self, participant: Participant) -> None:
        where = "ParticipantInviteRunnable.doRun#"
        offer = EndpointOffer(
            participant.id, participant.member.stats_id, participant.features,
            participant.visitor, self._sctp(participant),
        )  # fmt: skip
        try:
            session, allocation = await self.sessions.allocate(
                offer, participant.member.region, participant.journal
            )
        except NoBridge:
            participant.journal.severe(
                where + "224", "Can not invite participant, no bridge available."
            )
            self._invited(participant)
            self.conference.bridge_available(False)
            return
        except AllocationFailed:
            self._invited(participant)
            return
        except Exception as error:
            participant.journal.severe(where + "236", f"Failed to invite: {error!r}", error)
            self._invited(participant)
            return
        self._invited(participant)
        if self.participants.get(participant.id) is not participant:
            return
        participant.new_session(session.id)
        self.conference.bridge_available(True)
        self.conference.set_property("bridge-count", str(len(self.sessions.sessions)))
        self.context.main.client.spawn(self._offer(participant, session, allocation))

    def _invited(self, participant: Participant) -> None:
        if participant.inviting is asyncio.current_task():
            participant.inviting = None

    def _sctp(self, participant: Participant) -> bool:
        return self.context.config.bridge.sctp and "SCTP" in participant.features

    def _rewrites(self, participant: Participant) -> bool:
        wanted = self.context.config.conference.ssrc_rewriting
        return wanted and "SSRC_REWRITING_V1" in participant.features

    def _offered_sources(
        self, participant: Participant, allocation: Allocation
    ) -> dict[str, SourceSet]:
        mixed = {"jvb": allocation.bridge_sources} if allocation.bridge_sources else {}
        if self._rewrites(participant):
            return mixed
        others = self.sources.without(participant.id)
        return {**mixed, **{owner: self._told(sources) for owner, sources in others.items()}}

    def _told(self, sources: SourceSet) -> SourceSet:
        """Somebody's sources as the others are told of them."""
        strip = self.context.config.conference.strip_simulcast
        return sources.one_layer() if strip else sources

    async def _offer(
        self, participant: Participant, session: Session, allocation: Allocation
    ) -> None:
        jingle = participant.session
        if jingle is None:
            return  # ended meanwhile
        sources = self._offered_sources(participant, allocation)
        count = len(self.participants)
        muted = self.conference.start_muted
        offer = Offer(
            sid=jingle.sid,
            initiator=participant.client.jid,
            features=participant.features,
            transport=allocation.transport,
            bridge_session=session.id,
            region=session.bridge.region,
            sctp=allocation.sctp,
            sources=sources,
            start_audio_muted=muted.audio is not None and count > muted.audio,
            start_video_muted=muted.video is not None and count > muted.video,
        )
        brief = ", ".join(f"{owner}={value}" for owner, value in sources.items())
        participant.journal.info(
            "ParticipantInviteRunnable.invite#394",
            f"Sending session-initiate to: {participant.member.occupant_jid} sources={{{brief}}}",
        )
        counters = self.context.counters
        counters.count(counters.sent, "session-initiate")
        try:
            answer = await participant.client.ask(participant.send_to(render_offer(offer)))
        except TimeoutError:
            return  # upstream takes silence for consent
        if is_error(answer) and participant.session is jingle:
            participant.journal.severe(
                "JingleSession.initiateSession#139",
                f"Unexpected response to session-initiate: {' '.join(parse_error(answer))}",
            )
            self.terminate(participant, "general-error", "session-initiate failed", send=True)

    # -- the end of sessions -------------------------------------------------------------------

    def terminate(
        self, participant: Participant, reason: str, text: str, *, send: bool, expire: bool = True
    ) -> None:
        """End a participant's session; its sources are taken from the others."""
        participant.journal.info(
            "JitsiMeetConferenceImpl.terminateParticipant#1157",
            f"Terminating {participant.id}, reason: {reason}, "
            f"send session-terminate: {str(send).lower()}",
        )
        self._forget_sources(participant)
        participant.terminate(reason, text, send=send)
        if send:
            counters = self.context.counters
            counters.count(counters.sent, "session-terminate")
        if expire:
            self.sessions.remove(participant.id)

    def _forget_sources(self, participant: Participant) -> None:
        gone = self.sources.remove_owner(participant.id)
        if gone:
            self.signal("source-remove", participant, gone)

    def signal(self, action: str, owner: Participant, sources: SourceSet) -> None:
        """Tell the others about an owner's sources."""
        told = self._told(sources)
        for other in self.participants.values():
            if other is not owner and not self._rewrites(other):
                other.signal_sources(action, {owner.id: told})

    def member_left(self, member: Member) -> None:
        """A member is gone."""
        task = self._discovering.pop(member.id, None)
        if task is not None:
            task.cancel()
        participant = self.participants.get(member.id)
        if participant is None or participant.room.jid != member.room:
            return
        self.terminate(participant, "gone", "", send=False)
        del self.participants[member.id]
        self.journal.info(
            "JitsiMeetConferenceImpl.terminateParticipant#1172",
            f"Removed participant {member.id} removed=true",
        )

    def dismiss_all(self, reason: str, text: str, *, send: bool = True) -> None:
        """End everybody's session; upstream forgets the participants, too."""
        for task in self._discovering.values():
            task.cancel()
        self._discovering.clear()
        for participant in list(self.participants.values()):
            self.terminate(participant, reason, text, send=send, expire=False)
        self.participants.clear()

    # -- moving --------------------------------------------------------------------------------

    def reinvite(self, ids: list[str]) -> None:
        """Terminate as `moving` and invite again (reinvite-method RestartJingle)."""
        moving = [self.participants[id] for id in ids if id in self.participants]
        for participant in moving:
            expire = self.sessions.session_of(participant.id) is not None
            self.terminate(participant, "success", "moving", send=True, expire=expire)
        for participant in moving:
            self._invite(participant)

    def bridge_gone(self, bridge: Bridge, why: str) -> None:
        """Move everybody off a bridge that was removed or failed its health check."""
        if bridge.jid not in self.sessions.sessions:
            return
        ids = self.sessions.remove_bridge(bridge)
        if not ids:
            return
        self.context.counters.moved += len(ids)
        self.journal.info(
            "JitsiMeetConferenceImpl$BridgeSelectorEventHandler.removeBridge#2643",
            f"Re-inviting [{', '.join(ids)}] because {bridge.jid} {why}",
        )
        self.reinvite(ids)

    def _bridge_failed(self, bridge: Bridge, ids: list[str]) -> None:
        self.context.counters.bridges_removed += 1
        self.context.counters.moved += len(ids)
        self.journal.info(
            "JitsiMeetConferenceImpl$ColibriSessionManagerListener.bridgeRemoved#2613",
            f"Bridge {bridge} was removed from the conference. "
            f"Re-inviting its participants: [{', '.join(ids)}]",
        )
        self.reinvite(ids)

    def _endpoint_lost(self, id: str) -> None:
        self.journal.info(
            "JitsiMeetConferenceImpl$ColibriSessionManagerListener.endpointRemoved#2620",
            f"Endpoint {id} was removed from the bridge, re-inviting.",
        )
        self.reinvite([id])

    def bridge_up(self, bridge: Bridge) -> None:
        """A new bridge appeared: restart when there is none so far."""
        if self.sessions.sessions or not self.participants:
            return
        self.journal.info(
            "JitsiMeetConferenceImpl.onBridgeUp#2166",
            f"New bridge available, will try to restart: {bridge.jid}",
        )
        self.reinvite(list(self.participants))

    def active_count(self) -> int:
        """Participants with a Jingle session."""
        return sum(
            one.session is not None and one.session.state is not JingleState.ENDED
            for one in self.participants.values()
        )
