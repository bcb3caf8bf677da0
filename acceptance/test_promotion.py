"""Promotion where it is not automatic: moderators see who raises a hand, and decide."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from acceptance import jicofo, prosody
from acceptance.moderator import Menu, Note, told
from acceptance.remote import Machine
from acceptance.stranger import stranger_at
from labctl.core.waiting import Patience
from labctl.crowd import CrowdError, Kind, Options, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.crowd.xml import error_of
from labctl.topology.model import Topology

pytestmark = [pytest.mark.visitors, pytest.mark.slow]

SECONDS = 20
NAME = "<b>Zoë</b>"
LISTENER = Options(want_visitor=True)
ASKING = Options(want_visitor=True, notes=True, name=NAME)


@dataclass(frozen=True)
class Asked:
    """A conference in which moderators decide who comes to the stage."""

    crowd: SyncCrowd
    moderator: SyncParticipant
    menu: Menu
    patience: Patience

    def visitor(self) -> SyncParticipant:
        [found] = self.crowd.join(1, deadline=SECONDS, options=ASKING)
        return found

    def request_of(self, visitor: SyncParticipant, *, raised: bool) -> Note:
        """What the moderator is told of a visitor's hand."""
        jid = visitor.view().jid
        wanted = {"action": "promotion-request", "from": jid, "on": raised}
        return told(self.moderator, "visitors", lambda note: wanted.items() <= note.items(),
                    self.patience)  # fmt: skip


@pytest.fixture(scope="module")
def asked(target: Target, topology: Topology, jms: Machine, patience: Patience) -> Iterator[Asked]:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")
    with (
        prosody.moderators_promote(jms, target.domain),
        crowd_in(target, "accept-asked", options=Options(notes=True)) as crowd,
    ):
        [moderator] = crowd.join(1, deadline=SECONDS)
        role = jicofo.wait_value(
            lambda: moderator.view().role, "moderator", seconds=SECONDS, patience=patience
        )
        assert role == "moderator"
        crowd.join(1, deadline=SECONDS, options=LISTENER)  # the hall is open
        yield Asked(crowd, moderator, Menu(moderator, target.domain, crowd.room), patience)


def test_moderators_see_who_raises_a_hand(asked: Asked) -> None:
    """When this fails, visitors raise their hands and no moderator knows, or not by which name."""
    visitor = asked.visitor()
    visitor.raise_hand()
    assert asked.request_of(visitor, raised=True)["nick"] == NAME
    visitor.lower_hand()
    asked.request_of(visitor, raised=False)
    assert visitor.view().last(Kind.PROMOTED) is None


def test_hand_of_who_has_gone_is_down(asked: Asked) -> None:
    """When this fails, moderators call up people who left long ago."""
    visitor = asked.visitor()
    jid = visitor.view().jid
    visitor.raise_hand()
    asked.request_of(visitor, raised=True)
    visitor.leave()
    told(
        asked.moderator, "visitors",
        lambda note: (note.get("from"), note.get("on")) == (jid, False), asked.patience,
    )  # fmt: skip


def test_moderator_refuses_a_visitor(asked: Asked) -> None:
    """When this fails, a visitor who was refused comes to the stage, or waits for ever."""
    visitor = asked.visitor()
    visitor.raise_hand()
    asked.request_of(visitor, raised=True)
    asked.menu.decide(str(visitor.view().jid), approved=False)
    refused = visitor.wait_for(Kind.REFUSED, deadline=SECONDS)
    assert refused.details["what"] == "promotion"
    assert (visitor.view().state, visitor.view().role) == ("joined", "visitor")


def test_only_moderators_decide(asked: Asked) -> None:
    """When this fails, visitors let each other onto the stage."""
    visitor, helper = asked.visitor(), asked.visitor()
    visitor.raise_hand()
    asked.request_of(visitor, raised=True)
    menu = Menu(helper, asked.menu.domain, asked.crowd.room)
    menu.decide(str(visitor.view().jid), approved=True)
    asked.menu.decide(str(visitor.view().jid), approved=False)
    visitor.wait_for(Kind.REFUSED, deadline=SECONDS)
    assert visitor.view().last(Kind.PROMOTED) is None


def test_nobody_goes_past_the_moderators(asked: Asked, target: Target) -> None:
    """When this fails, whoever leaves the vnode out walks onto a stage that moderators guard."""
    with stranger_at(target, room=asked.crowd.room) as stranger:
        answer = stranger.knock(asked.menu.room_jid, nick="stranger", name="Stranger")
    expected = ("not-allowed", "Visitor needs to be allowed by a moderator")
    assert error_of(answer) == expected


def test_approved_visitor_has_no_way_in_without_a_token(asked: Asked) -> None:
    """When this fails, upstream became better: who was let in comes in without a token, too.

    The visitor is told the name under which it may come.  Only token authentication lets it take
    that name; with the login without accounts it comes under another one, and is refused.
    """
    visitor = asked.visitor()
    visitor.raise_hand()
    asked.request_of(visitor, raised=True)
    began = time.monotonic()
    asked.menu.decide(str(visitor.view().jid), approved=True)
    promoted = visitor.wait_for(Kind.PROMOTED, deadline=SECONDS, after=began)
    assert promoted.details["username"]
    with pytest.raises(CrowdError, match="Visitor needs to be allowed by a moderator"):
        visitor.come(deadline=SECONDS)
