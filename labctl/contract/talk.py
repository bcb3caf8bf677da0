"""The short conference of a check: two participants, and a visitor if the lab can have one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labctl.crowd.events import Kind, View
from labctl.crowd.options import Options
from labctl.crowd.sync import crowd_in
from labctl.crowd.target import Target
from labctl.topology.lab import Lab

INVITED_SECONDS = 20.0


@contextmanager
def conference(lab: Lab) -> Iterator[list[dict[str, Any]]]:
    """What each participant sees, as plain data, while all of them are in the conference.

    Errors: CrowdError if a participant cannot join or is not invited.
    """
    with crowd_in(Target.of(lab), f"contract-{secrets.token_hex(3)}") as crowd:
        people = crowd.join(2)
        crowd.wait_invited(deadline=INVITED_SECONDS)
        # The second presence of the first participant, with its new role, may still be under way.
        people[0].wait_for(Kind.ROLE, deadline=INVITED_SECONDS)
        if any(node.vnodes for node in lab.topology.nodes):
            crowd.join(1, options=Options(want_visitor=True))
            crowd.wait_invited(deadline=INVITED_SECONDS)
        for one in people:
            one.wait_for(Kind.ACCEPTED, deadline=INVITED_SECONDS)
        yield [view_data(view) for view in crowd.views()]


def view_data(view: View) -> dict[str, Any]:
    """A view as plain data, with the details of the last event of each kind."""
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
    """The views to compare: all for an entry about visitors, else those of the main room."""
    return json.dumps([view for view in views if visitor or not view["vnode"]])
