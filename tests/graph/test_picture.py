"""A picture shows every node and connection once, however many there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labctl.graph import Picture, make_picture
from labctl.graph.health import State
from labctl.graph.picture import ranges
from labctl.lab.status import read_status
from labctl.report.status import Status
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.units import Talk
from tests.fakes.nodes import FakeNodes

LARGE = Spec(jvbs=50, visitors=64, relays=True, turn=True)


def titles(picture: Picture) -> list[str]:
    return [f"{box.title} {box.address}" for box in picture.boxes]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([], ""), ([4], "4"), ([2, 1, 3], "1-3"), ([1, 2, 4, 7, 8], "1-2, 4, 7-8")],
)
def test_neighbours_are_a_range(numbers: list[int], expected: str) -> None:
    assert ranges(numbers) == expected


def test_a_small_lab_has_a_box_for_each_node() -> None:
    picture = make_picture(resolve(Spec(jvbs=2, visitors=9)))
    assert titles(picture) == [
        "jms 192.168.56.105",
        "jvb1 192.168.56.106",
        "jvb2 192.168.56.107",
        "visitors1 192.168.56.201",
        "visitors2 192.168.56.202",
    ]
    assert picture.boxes[-2].parts[0].title == "Prosody v1-8"
    assert [it.ports for it in picture.boxes[-1].parts[0].sockets] == [
        "52229/tcp", "52699/tcp", "52809/tcp",
    ]  # fmt: skip
    assert not picture.knows_state


def test_a_large_lab_has_a_box_for_each_role_and_few_arrows() -> None:
    picture = make_picture(resolve(replace(LARGE, monitoring=True)))
    assert titles(picture) == [
        "jms 192.168.56.105",
        "jvb1-50 192.168.56.106-155",
        "monitoring 192.168.56.190",
        "visitors1-8 192.168.56.201-208",
    ]
    assert [part.title for part in picture.boxes[1].parts] == ["50 bridges"]
    assert len(picture.arrows) < 30
    assert set(picture.talks) == set(Talk)
    [inside] = [arrow for arrow in picture.arrows if arrow.inside]
    assert inside.talk is Talk.RELAY


def running(nodes: FakeNodes, lab: Lab, spec: Spec, **changed: Any) -> Status:
    status = read_status(lab)
    bridges = tuple(
        replace(status.bridges[0], nick=node.bridge, node=node.name, **changed.get(node.name, {}))
        for node in resolve(spec).nodes
        if node.bridge
    )
    seen = tuple(replace(status.nodes[0], name=node.name, units={}) for node in resolve(spec).nodes)
    return replace(status, bridges=bridges, nodes=seen)


def test_what_does_not_work_is_apart_from_a_large_group(nodes: FakeNodes, lab: Lab) -> None:
    spec = Spec(jvbs=50, visitors=0)
    status = running(nodes, lab, spec, jvb3={"operational": False}, jvb9={"in_brewery": False})
    picture = make_picture(resolve(spec), status=status)
    assert titles(picture)[1:] == [
        "jvb1-2, 4-8, 10-50 192.168.56.106-107, 109-113, 115-155",
        "jvb3 192.168.56.108",
        "jvb9 192.168.56.114",
    ]
    assert [box.state for box in picture.boxes] == [State.GOOD, State.GOOD, State.BAD, State.BAD]
    assert [box.parts[0].wrong for box in picture.boxes[2:]] == [
        "jvb3 not operational",
        "jvb9 not in the brewery",
    ]


def test_the_state_is_that_of_the_running_lab(nodes: FakeNodes, lab: Lab) -> None:
    good = make_picture(lab.topology, status=read_status(lab))
    assert {box.state for box in good.boxes} == {State.GOOD}
    nodes.silence("jvb1", "No route to host")
    bad = make_picture(lab.topology, status=read_status(lab))
    assert {box.key: box.wrong for box in bad.boxes if box.state is State.BAD} == {
        "jvb1": "jvb1 does not answer"
    }
