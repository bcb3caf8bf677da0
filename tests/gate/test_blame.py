"""Which package it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.gate.blame import Suspect, has_ended, suspects
from labctl.ready.probe import NodeState, expected_units
from labctl.ready.units import UnitState
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Spec

RUNS = UnitState("active", "running", 0, "enabled", None)
PORTS = frozenset({22, 80, 443, 5222, 5269, 5280, 8888})


@pytest.fixture
def topology() -> Topology:
    return resolve(Spec(jvbs=1, visitors=2))


@pytest.fixture
def states(topology: Topology) -> dict[str, NodeState]:
    return {
        node.name: NodeState(units=dict.fromkeys(expected_units(node), RUNS), ports=PORTS)
        for node in topology.nodes
    }


def with_unit(state: NodeState, unit: str, **values: object) -> NodeState:
    units = {**state.units, unit: replace(state.units[unit], **values)}  # type: ignore[arg-type]
    return replace(state, units=units)


def test_nobody_where_all_runs(topology: Topology, states: dict[str, NodeState]) -> None:
    assert suspects(topology, states) == []


def test_bridge_that_starts_and_dies(topology: Topology, states: dict[str, NodeState]) -> None:
    unit = "jitsi-videobridge2.service"
    states["jvb1"] = with_unit(states["jvb1"], unit, active="activating", sub="auto-restart")
    (found,) = suspects(topology, states)
    assert (found.node, found.package) == ("jvb1", "jitsi-videobridge2")
    assert found.seen == "is activating (auto-restart)"
    states["jvb1"] = with_unit(states["jvb1"], unit, active="active", restarts=3)
    (found,) = suspects(topology, states)
    assert found.seen == "ended and was started again 3 times"


def test_jicofo_that_was_not_reached_is_not_to_blame(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    bridge, jicofo = "jitsi-videobridge2.service", "jicofo.service"
    states["jvb1"] = with_unit(states["jvb1"], bridge, active="activating", sub="auto-restart")
    for values in ({"active": "inactive", "sub": "dead"}, {"active": "active", "sub": "running"}):
        jms = with_unit(states["jms"], jicofo, **values)
        states["jms"] = replace(jms, ports=PORTS - {8888})
        first, second = suspects(topology, states)
        assert (first.package, second.package) == ("jitsi-videobridge2", "jicofo")


def test_jicofo_whose_unit_has_not_noticed(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    states["jms"] = replace(states["jms"], ports=PORTS - {8888})
    (found,) = suspects(topology, states)
    assert (found.package, found.seen) == ("jicofo", "does not listen on its port 8888")


def test_plugin_that_does_not_load_comes_before_those_that_wait_for_it(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    line = "Error initializing module 'visitors_component' on 'visitors.meet.lab.internal'"
    states["jms"] = replace(states["jms"], failed_modules=(line,), ports=PORTS - {8888})
    first, second = suspects(topology, states)
    assert (first.package, second.package) == ("jitsi-meet-prosody", "jicofo")
    assert first.seen == f"says: {line}"
    assert first.ended and not second.ended


def test_a_unit_that_nobody_knows_hides_no_other(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    jms = with_unit(states["jms"], "jitsi-videobridge2.service", active="failed", sub="failed")
    known = {name: unit for name, unit in jms.units.items() if name != "jicofo.service"}
    assert list(jms.units).index("jicofo.service") < list(jms.units).index(
        "jitsi-videobridge2.service"
    )
    states["jms"] = replace(jms, units=known)
    (found,) = suspects(topology, states)
    assert found.package == "jitsi-videobridge2"


def test_vnode_is_of_the_plugins_too(topology: Topology, states: dict[str, NodeState]) -> None:
    unit = "prosody-v@2.service"
    states["visitors1"] = with_unit(states["visitors1"], unit, active="failed", sub="failed")
    (found,) = suspects(topology, states)
    assert found.package == "jitsi-meet-prosody"
    assert found.log == "/var/log/prosody-v2/prosody.err"


@pytest.mark.parametrize(
    ("active", "sub", "restarts", "ended"),
    [
        ("failed", "failed", 0, True),
        ("activating", "auto-restart", 0, True),
        ("inactive", "dead", 1, True),
        ("inactive", "dead", 0, False),
        ("activating", "start", 0, False),
    ],
)
def test_what_has_ended_had_begun(active: str, sub: str, restarts: int, ended: bool) -> None:
    assert has_ended(UnitState(active, sub, restarts, "enabled", None)) is ended


def test_a_unit_is_suspected_once_and_by_what_is_worst(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    jms = with_unit(states["jms"], "jicofo.service", active="failed", sub="failed", restarts=2)
    states["jms"] = replace(jms, ports=PORTS - {8888})
    (found,) = suspects(topology, states)
    assert found == Suspect(
        "jms", "jicofo.service", "jicofo", "/var/log/jitsi/jicofo.log", "is failed (failed)", True
    )


def test_among_equals_others_wait_for_the_first(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    for node, unit in (
        ("jvb1", "jitsi-videobridge2.service"),
        ("jms", "jicofo.service"),
        ("jms", "jitsi-videobridge2.service"),
        ("visitors1", "prosody-v@1.service"),
    ):
        states[node] = with_unit(states[node], unit, active="failed", sub="failed")
    order = [(each.node, each.unit.partition("@")[0]) for each in suspects(topology, states)]
    assert order.index(("visitors1", "prosody-v")) < order.index(("jms", "jicofo.service"))
    assert [node for node, unit in order if "videobridge" in unit] == ["jms", "jvb1"]


def test_a_unit_that_waits_comes_after_one_that_ended(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    states["jvb1"] = with_unit(
        states["jvb1"], "jitsi-videobridge2.service", active="active", restarts=1
    )
    states["jms"] = with_unit(states["jms"], "jicofo.service", active="inactive", sub="dead")
    found = suspects(topology, states)
    assert [(each.unit, each.ended) for each in found] == [
        ("jitsi-videobridge2.service", True),
        ("jicofo.service", False),
    ]


def test_units_that_were_not_asked_for_are_not_suspected(
    topology: Topology, states: dict[str, NodeState]
) -> None:
    states["jms"] = replace(states["jms"], units={})
    assert suspects(topology, states) == []


def test_a_vnodes_ports_are_not_its_nodes(topology: Topology, states: dict[str, NodeState]) -> None:
    states["visitors1"] = replace(states["visitors1"], ports=frozenset())
    assert suspects(topology, states) == []
