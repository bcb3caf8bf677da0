"""Visitors: who comes after the last seat is redirected, sees the stage, and is on a bridge."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from acceptance import facts as gathering
from acceptance import jicofo, remote
from acceptance.chat import heard
from acceptance.facts import Facts
from acceptance.remote import Machine
from acceptance.rooms import JOIN_SECONDS, VISITORS, FullRoom
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.sync import crowd_in
from labctl.topology.model import Topology, VNode

pytestmark = pytest.mark.visitors

INVITE_SECONDS = 20
MIRROR_SECONDS = 15


def need_vnodes(topology: Topology) -> None:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")


def test_vnode_is_registered(facts: Mapping[str, Facts | str], vnode: VNode) -> None:
    """When this fails, Jicofo never sends a visitor to this vnode, or into the void."""
    log = gathering.of(facts, "jms").lines("jicofo.log")
    context = f"xmpp_connection={vnode.name}]"
    assert [line for line in log if context in line and "Registered (" in line]


def test_visitors_are_enabled(facts: Mapping[str, Facts | str], topology: Topology) -> None:
    """When this fails, Jicofo found no visitors component and fills the main room without end."""
    need_vnodes(topology)
    line = f"VisitorsComponentManager is now enabled with address visitors.{topology.domain}"
    assert line in gathering.of(facts, "jms").text("jicofo.log")


def test_everybody_stays_in_main_without_vnodes(full_room: FullRoom, topology: Topology) -> None:
    """When this fails, people are sent away from a lab that has nowhere to send them."""
    if topology.vnodes:
        pytest.skip("this lab has vnodes")
    seated, others = full_room.split()
    assert {view.vnode for view in (*seated, *others)} == {None}


def test_seats_are_in_the_main_room(full_room: FullRoom, topology: Topology) -> None:
    """When this fails, people who should speak are turned into spectators."""
    seated, _ = full_room.split()
    joined = [view.first(Kind.JOINED) for view in seated]
    assert [view.vnode for view in seated] == [None] * topology.spec.max_participants
    assert {event.details["role"] for event in joined if event} <= {"participant", "moderator"}
    assert len([event for event in joined if event]) == topology.spec.max_participants


def test_the_next_ones_are_visitors_of_one_vnode(full_room: FullRoom, topology: Topology) -> None:
    """When this fails, the main room grows past its limit, or a conference is torn apart."""
    need_vnodes(topology)
    _, visitors = full_room.split()
    assert [view.role for view in visitors] == ["visitor"] * VISITORS
    vnodes = {view.vnode for view in visitors}
    assert len(vnodes) == 1
    assert vnodes <= {vnode.name for vnode in topology.vnodes}


def test_visitors_see_the_stage_and_not_each_other(
    full_room: FullRoom, topology: Topology, patience: Patience
) -> None:
    """When this fails, spectators look at an empty stage, or at thousands of each other."""
    need_vnodes(topology)
    seated, _ = full_room.split()
    stage = frozenset(view.nick for view in seated)

    def look() -> list[frozenset[str]]:
        return [view.others for view in full_room.split()[1]]

    seen = jicofo.wait_value(look, [stage] * VISITORS, seconds=MIRROR_SECONDS, patience=patience)
    differences = [sorted(stage ^ others) for others in seen]
    assert differences == [[]] * VISITORS


def test_main_room_sees_no_visitor(full_room: FullRoom, topology: Topology) -> None:
    """When this fails, every spectator appears on everybody's screen."""
    need_vnodes(topology)
    seated, _ = full_room.split()
    stage = frozenset(view.nick for view in seated)
    assert {frozenset(view.others | {view.nick}) for view in seated} == {stage}


def test_everybody_is_invited_to_a_bridge(full_room: FullRoom) -> None:
    """When this fails, somebody is in the room but neither sees nor hears anything."""
    full_room.crowd.wait_invited(deadline=INVITE_SECONDS)
    full_room.crowd.wait_for(Kind.ACCEPTED, deadline=INVITE_SECONDS)
    views = full_room.crowd.views()
    assert [view.nick for view in views if not view.sid or not view.bridge_session] == []
    assert [str(view.last(Kind.REFUSED)) for view in views if view.last(Kind.REFUSED)] == []


def test_the_limit_is_exact(full_room: FullRoom, topology: Topology) -> None:
    """When this fails, a seat stays empty although people wait, or one too many is let in."""
    need_vnodes(topology)
    vnodes = [view.vnode for view in full_room.crowd.views()]
    last = topology.spec.max_participants - 1
    around = [vnodes[index] is not None for index in (max(last - 1, 0), last, last + 1)]
    assert around == [False, False, True], "redirected: N-1, N, N+1"


def test_main_room_is_told_of_visitors(
    full_room: FullRoom, topology: Topology, patience: Patience
) -> None:
    """When this fails, speakers think that nobody listens.

    Jicofo tells of the first visitor at once and of changes at most every 15 s.
    """
    need_vnodes(topology)

    def look() -> bool:
        seated, _ = full_room.split()
        return all(int(view.conference.get("visitor-count", 0)) >= 1 for view in seated)

    told = jicofo.wait_value(look, True, seconds=10, patience=patience)
    assert told, full_room.split()[0][0].conference


def test_a_question_from_the_hall_reaches_the_stage(
    full_room: FullRoom, topology: Topology, patience: Patience
) -> None:
    """When this fails, visitors cannot ask a question, or it is taken for a speaker's word."""
    need_vnodes(topology)
    words = "a question from the hall"
    full_room.crowd.participants[-1].say(words)
    event = heard(full_room.crowd.participants[0], words, patience)
    assert event.details["source"] == "visitor"
    assert event.details["from"] == f"{full_room.name}@conference.{topology.domain}"
    asker = full_room.crowd.participants[-1].nick
    assert (event.details["nick"], event.details["name"]) == (asker, asker)


def test_a_question_is_heard_in_the_hall(
    full_room: FullRoom, topology: Topology, patience: Patience
) -> None:
    """When this fails, visitors read answers to questions that they never saw."""
    need_vnodes(topology)
    hall = full_room.crowd.participants[-VISITORS:]
    hall[0].say("heard by everybody?")
    event = heard(hall[1], "heard by everybody?", patience)
    muc = f"{full_room.name}@conference.{hall[1].view().vnode}.meet.jitsi"
    assert event.details["from"] == f"{muc}/{hall[0].nick}"


def test_a_word_from_the_stage_reaches_the_hall(
    full_room: FullRoom, topology: Topology, patience: Patience
) -> None:
    """When this fails, visitors do not read what the speakers write."""
    need_vnodes(topology)
    speaker, visitor = full_room.crowd.participants[0], full_room.crowd.participants[-1]
    speaker.say("welcome")
    event = heard(visitor, "welcome", patience)
    muc = f"{full_room.name}@conference.{visitor.view().vnode}.meet.jitsi"
    assert event.details["source"] == ""
    assert event.details["from"] == f"{muc}/{speaker.nick}"


def test_main_and_vnode_are_linked_both_ways(
    full_room: FullRoom, topology: Topology, jms: Machine
) -> None:
    """When this fails, the stage does not reach the visitors, or the visitors not the stage.

    The way back may end at the main domain or at its rooms: it is opened by whatever the vnode
    sends first, an answer or a visitor's question.
    """
    need_vnodes(topology)
    asker = full_room.crowd.participants[-1]
    asker.say("is there a way back?")
    domain, muc = topology.domain, f"conference.{asker.view().vnode}.meet.jitsi"
    there = f"Outgoing s2s connection {domain}->{muc} complete"
    back = f"Incoming s2s connection {muc}->"

    def look() -> tuple[bool, bool]:
        log = remote.run(jms, "grep -F 's2s connection' /var/log/prosody/prosody.log").stdout
        ends = {f"{back}{host} complete" for host in (domain, f"conference.{domain}")}
        return there in log, any(end in log for end in ends)

    seen = jicofo.wait_value(look, (True, True), seconds=10, patience=jms.patience)
    assert seen == (True, True), f"'{there}' and '{back}... complete' in the main Prosody's log"


def test_who_asks_to_be_a_visitor_becomes_one(
    target: Target, topology: Topology, room: str
) -> None:
    """When this fails, an announced audience takes the seats of the speakers."""
    need_vnodes(topology)
    with crowd_in(target, room) as crowd:
        crowd.join(1, deadline=JOIN_SECONDS)
        crowd.join(1, deadline=JOIN_SECONDS, options=Options(want_visitor=True))
        speaker, visitor = crowd.views()
        assert (speaker.vnode, visitor.role) == (None, "visitor")
        assert visitor.vnode in {vnode.name for vnode in topology.vnodes}
        crowd.wait_invited(deadline=INVITE_SECONDS)
