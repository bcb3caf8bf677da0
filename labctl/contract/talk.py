"""The short conference of the check: two participants, and a visitor where the lab has any."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labctl.crowd.events import Kind, View
from labctl.crowd.inbox import Options
from labctl.crowd.sync import crowd_in
from labctl.crowd.target import Target
from labctl.model import Topology
from labctl.workdir import Workdir

INVITED_SECONDS = 20.0


@contextmanager
def conference(workdir: Workdir, topology: Topology) -> Iterator[list[dict[str, Any]]]:
    """What each participant sees, as plain data, while all of them are in the conference.

    Errors: CrowdError when somebody cannot join or is not invited.
    """
    with crowd_in(Target.of(topology, workdir), f"contract-{secrets.token_hex(3)}") as crowd:
        people = crowd.join(2)
        crowd.wait_invited(deadline=INVITED_SECONDS)
        # The second presence of the first participant, with its new role, may still be under way.
        people[0].wait_for(Kind.ROLE, deadline=INVITED_SECONDS)
        if any(node.vnodes for node in topology.nodes):
            crowd.join(1, options=Options(want_visitor=True))
            crowd.wait_invited(deadline=INVITED_SECONDS)
        for one in people:
            one.wait_for(Kind.ACCEPTED, deadline=INVITED_SECONDS)
        yield [view_data(view) for view in crowd.views()]


def view_data(view: View) -> dict[str, Any]:
    """A view as plain data; of the events of one kind the last one's details."""
    return {
        "jid": view.jid,
        "vnode": view.vnode,
        "role": view.role,
        "affiliation": view.affiliation,
        "bridge_session": view.bridge_session,
        "conference": dict(view.conference),
        "occupants": {
            nick: f"{occupant.role}/{occupant.affiliation}"
            for nick, occupant in view.occupants.items()
        },
        "events": {str(event.kind): dict(event.details) for event in view.events},
    }


def seen_by(views: list[dict[str, Any]], *, visitor: bool) -> str:
    """The views for the judge: all of them for an entry about visitors, else the main ones."""
    return json.dumps([view for view in views if visitor or not view["vnode"]])
