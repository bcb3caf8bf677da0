"""Jingle IQs that participants send (docs/facts/signalling.md, 10 and 11)."""

from __future__ import annotations

from focus import FocusManager
from participant import JingleState, Participant
from sources import SourceError, SourceSet, parse_contents
from stanzas import (
    DTLS,
    FOCUS,
    ICE,
    JINGLE,
    Element,
    bare,
    find,
    iq_error,
    iq_result,
    local,
    resource,
)  # fmt: skip

ADD = ("source-add", "addsource")
REMOVE = ("source-remove", "removesource")


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


class JingleHandler:
    """Finds the session of a request and carries it out."""

    def __init__(self, focus: FocusManager) -> None:
        self.focus = focus

    def handle(self, request: Element, jingle: Element) -> Element:
        """The reply to one IQ."""
        sender = request.get("from", "")
        action = jingle.get("action", "")
        counters = self.focus.context.counters
        counters.count(counters.received, action)
        participant = self.focus.find_participant(bare(sender), resource(sender))
        if participant is None:
            return iq_error(request, "bad-request", "Unknown session")
        try:
            self._check_sid(participant, jingle)
            self._act(action, participant, jingle)
        except Refused as refused:
            return iq_error(request, refused.condition, refused.text)
        except SourceError as error:
            return iq_error(request, "bad-request", str(error))
        return iq_result(request)

    def _check_sid(self, participant: Participant, jingle: Element) -> None:
        sid = jingle.get("sid", "")
        if participant.session is not None and participant.session.sid == sid:
            return
        if sid in participant.ended:
            raise Refused("gone", "Session has ended")
        raise Refused("bad-request", "No session found")

    def _act(self, action: str, participant: Participant, jingle: Element) -> None:
        if action == "session-accept":
            self._accept(participant, jingle)
        elif action == "transport-info":
            self._transport(participant, jingle)
        elif action in ADD:
            self._add(participant, parse_contents(jingle))
        elif action in REMOVE:
            self._remove(participant, parse_contents(jingle))
        elif action == "session-info":
            self._info(participant, jingle)
        elif action == "session-terminate":
            self._terminate(participant, jingle)
        elif action not in ("transport-accept", "transport-reject"):
            raise Refused("feature-not-implemented", f"Unsupported action: {action}")

    def _accept(self, participant: Participant, jingle: Element) -> None:
        session = participant.session
        participant.journal.info("JingleSession.doProcessIq#192", "Received session-accept")
        if session is None or session.state is not JingleState.PENDING:
            raise Refused("bad-request", "session-accept is not expected now")
        sources = parse_contents(jingle)
        invites = self.focus.conference_of(participant).invites
        if sources:
            self._may_send(participant)
            invites.sources.add(participant.id, sources)
        session.state = JingleState.ACTIVE
        self._log_accepted(participant, sources)
        invites.sessions.update(participant.id, transport=_transport(jingle), sources=sources)
        if sources:
            invites.signal("source-add", participant, sources)
        participant.flush()

    def _log_accepted(self, participant: Participant, sources: SourceSet) -> None:
        if sources:
            participant.journal.info(
                "JitsiMeetConferenceImpl.acceptSession#2000",
                f"Accepted initial sources from {participant.id}: {sources}",
            )
        else:
            participant.journal.fine(
                "JitsiMeetConferenceImpl.acceptSession#1995", "Session accepted with no sources."
            )

    def _may_send(self, participant: Participant) -> None:
        if participant.visitor:
            raise Refused("forbidden", "sources not allowed for visitors")

    def _transport(self, participant: Participant, jingle: Element) -> None:
        invites = self.focus.conference_of(participant).invites
        invites.sessions.update(participant.id, transport=_transport(jingle))

    def _add(self, participant: Participant, sources: SourceSet) -> None:
        invites = self.focus.conference_of(participant).invites
        self._may_send(participant)
        invites.sources.add(participant.id, sources)
        invites.sessions.update(
            participant.id, sources=invites.sources.by_owner.get(participant.id, SourceSet())
        )
        invites.signal("source-add", participant, sources)

    def _remove(self, participant: Participant, sources: SourceSet) -> None:
        invites = self.focus.conference_of(participant).invites
        invites.sources.remove(participant.id, sources)
        left = invites.sources.by_owner.get(participant.id, SourceSet())
        invites.sessions.update(participant.id, sources=left)
        invites.signal("source-remove", participant, sources)

    def _same_bridge_session(self, participant: Participant, jingle: Element) -> Element:
        named = find(jingle, FOCUS, "bridge-session")
        session = participant.session
        if named is None or session is None or named.get("id") != session.bridge_session:
            raise Refused("item-not-found", "Unknown bridge session")
        return named

    def _info(self, participant: Participant, jingle: Element) -> None:
        state = find(jingle, FOCUS, "ice-state")
        if state is None or (state.text or "").strip() != "failed":
            return
        self._same_bridge_session(participant, jingle)
        self.focus.context.counters.ice_failed += 1
        participant.journal.info(
            "JitsiMeetConferenceImpl.iceFailed#1900",
            f"Received ICE failed notification from {participant.id}",
        )
        self.focus.conference_of(participant).invites.reinvite([participant.id])

    def _terminate(self, participant: Participant, jingle: Element) -> None:
        named = find(jingle, FOCUS, "bridge-session")
        invites = self.focus.conference_of(participant).invites
        restart = named is not None and named.get("restart") == "true"
        participant.journal.info(
            "JitsiMeetConferenceImpl.terminateSession#1700",
            f"Received session-terminate, restart: {str(restart).lower()}",
        )
        if not restart:
            invites.terminate(participant, "success", "", send=False)
            return
        self._same_bridge_session(participant, jingle)
        if not participant.may_restart():
            raise Refused("resource-constraint", "Request rate limited")
        self.focus.context.counters.restarts += 1
        session = invites.sessions.session_of(participant.id)
        if session is not None:
            session.bridge.restart_requests += 1
        invites.reinvite([participant.id])


def _transport(jingle: Element) -> Element | None:
    """The ICE transport of the first content that has one with anything in it."""
    for content in jingle:
        if local(content) == "content" and content.tag.startswith("{" + JINGLE):
            transport = find(content, ICE, "transport")
            if transport is not None and (
                transport.get("ufrag") or len(transport) or find(transport, DTLS, "fingerprint")
            ):
                return transport
    return None
