"""Jicofo's REST interface for moving calls: who is on which bridge, and the order to move them.

As `labctl.node.jicofo`, which has the rest of that interface (docs/facts/jicofo.md, 6 and 8).
"""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import urlencode

from labctl.node.jicofo import DEBUG, ask, parse_people
from labctl.topology.lab import Lab

CONFERENCES = f"{DEBUG}/conferences-full"
MOVE_ENDPOINTS = "/move-endpoints/move-endpoints"
EVERYBODY = 1_000_000
"""More endpoints than a bridge has: "all of them", where Jicofo wants a number."""


def parse_loads(text: str) -> Counter[str] | None:
    """How many endpoints are on each bridge, by nick; None if Jicofo did not answer."""
    try:
        rooms = json.loads(text)
    except ValueError:
        return None
    if not isinstance(rooms, dict):
        return None
    people = (parse_people(json.dumps(room)) for room in rooms.values())
    return Counter(nick for one in people for nick in one.places.values())


def read_loads(lab: Lab) -> Counter[str] | None:
    """The endpoints on each bridge; None if Jicofo does not answer.  Errors: those of `ask`."""
    return parse_loads(ask(lab, CONFERENCES))


def move_everybody(lab: Lab, nick: str) -> bool:
    """Have Jicofo invite everybody on a bridge again; whether it took the order.

    Where they go is Jicofo's choice: off this bridge if that one is draining and there are others.
    Errors: those of `ask`.
    """
    wanted = urlencode({"bridge": nick, "numEndpoints": EVERYBODY})
    return bool(ask(lab, f"{MOVE_ENDPOINTS}?{wanted}"))
