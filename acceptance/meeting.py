"""A meeting with a moderator, a participant and a visitor, whose menus are tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from acceptance import jicofo
from acceptance.moderator import Menu
from labctl.core.waiting import Patience
from labctl.crowd import Options, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.topology.model import Topology
from labctl.topology.spec import Auth

SECONDS = 20
LISTENS = Options(notes=True)
IN_THE_HALL = Options(notes=True, want_visitor=True)


@dataclass(frozen=True)
class Meeting:
    """Who is in the meeting; without vnodes nobody is in the hall."""

    target: Target
    crowd: SyncCrowd
    moderator: SyncParticipant
    participant: SyncParticipant
    visitor: SyncParticipant | None
    menu: Menu
    patience: Patience

    @property
    def domain(self) -> str:
        return self.menu.domain

    def in_the_hall(self) -> SyncParticipant:
        if self.visitor is None:
            pytest.skip("this lab has no vnodes: nobody is in the hall")
        return self.visitor

    def polls_of(self, who: SyncParticipant) -> str:
        """The component of somebody's own server."""
        vnode = who.view().vnode
        return f"polls.{vnode}.meet.jitsi" if vnode else f"polls.{self.domain}"

    def visitors_stay(self) -> bool:
        return self.visitor is None or self.visitor.view().state == "joined"


@contextmanager
def meeting_in(room: str, target: Target, topology: Topology) -> Iterator[Meeting]:
    """The meeting once its moderator is one; everybody leaves at the end."""
    patience = target.patience
    with crowd_in(target, room, options=LISTENS) as crowd:
        [moderator] = crowd.join(1, deadline=SECONDS)
        # With accounts, everybody who has one is a moderator; guests are not.
        plain = replace(LISTENS, guest=topology.spec.auth is Auth.INTERNAL)
        [participant] = crowd.join(1, deadline=SECONDS, options=plain)
        visitor = None
        if topology.vnodes:
            [visitor] = crowd.join(1, deadline=SECONDS, options=IN_THE_HALL)
        role = jicofo.wait_value(
            lambda: moderator.view().role, "moderator", seconds=SECONDS, patience=patience
        )
        assert role == "moderator", "Jicofo made the first one no moderator"
        crowd.wait_invited(deadline=SECONDS)
        menu = Menu(moderator, target.domain, crowd.room)
        yield Meeting(target, crowd, moderator, participant, visitor, menu, patience)
