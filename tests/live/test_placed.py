"""Who is where: the first by room, all counted."""

from __future__ import annotations

from labctl.live.model import Group, Present
from labctl.live.placed import MOST_PRESENT, on_bridges, on_vnodes
from labctl.node.jicofo import Conference


def test_people_of_several_rooms_are_together_on_their_bridge_and_vnode() -> None:
    people = {
        "b@x": Conference(places={"b2": "jvb1", "b1": "jvb1"}, vnodes={"b1": "v1"}),
        "a@x": Conference(places={"a1": "jvb1", "a2": "jvb2"}, vnodes={"a2": "v3"}),
    }
    assert on_bridges(people) == {
        "jvb1": Present((Group("a@x", ("a1",)), Group("b@x", ("b1", "b2")))),
        "jvb2": Present((Group("a@x", ("a2",)),)),
    }
    assert on_vnodes(people) == {
        "v1": Present((Group("b@x", ("b1",)),)),
        "v3": Present((Group("a@x", ("a2",)),)),
    }


def test_of_a_full_vnode_the_first_are_named() -> None:
    """Two thousand names are not sent to every tab every two seconds."""
    full = Conference(vnodes={f"{index:04}": "v1" for index in range(2000)})
    late = Conference(vnodes={"z": "v1"})
    [found] = on_vnodes({"a@x": full, "b@x": late}).values()
    [group] = found.groups
    assert (group.room, len(group.ids), group.ids[0]) == ("a@x", MOST_PRESENT, "0000")
    assert found.left_out == 2001 - MOST_PRESENT
