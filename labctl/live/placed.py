"""Who is on which bridge and which vnode, from what Jicofo says of its conferences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labctl.live.model import Group, Present
from labctl.node.jicofo import Conference

MOST_PRESENT = 50
"""People of one bridge or vnode who are named; a vnode may have 2,000."""


def on_bridges(people: Mapping[str, Conference]) -> dict[str, Present]:
    """Who is there, by the nick of the bridge, of the conferences that Jicofo was asked for."""
    return _by_place((room, told.places) for room, told in people.items())


def on_vnodes(people: Mapping[str, Conference]) -> dict[str, Present]:
    """Who is there, by the name of the vnode; visitors whom Jicofo has not invited are nowhere."""
    return _by_place((room, told.vnodes) for room, told in people.items())


def _by_place(rooms: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, Present]:
    found: dict[str, dict[str, list[str]]] = {}
    for room, places in rooms:
        for id, place in places.items():
            found.setdefault(place, {}).setdefault(room, []).append(id)
    return {place: _shortened(here) for place, here in found.items()}


def _shortened(rooms: Mapping[str, list[str]]) -> Present:
    """The first people by room and id."""
    free, groups = MOST_PRESENT, []
    for room in sorted(rooms):
        ids = tuple(sorted(rooms[room])[:free])
        if ids:
            groups.append(Group(room, ids))
        free -= len(ids)
    named = sum(len(it.ids) for it in groups)
    return Present(tuple(groups), sum(map(len, rooms.values())) - named)
