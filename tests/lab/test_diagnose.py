"""What is wrong with a running lab, in words: evidence in, findings out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.lab import diagnose as module
from labctl.lab.diagnose import (
    BridgeEvidence,
    Evidence,
    diagnose,
    find_mistakes,
    render_diagnoses,
)
from labctl.node.sections import parse_sections, render_sections
from labctl.ready.probe import NodeState, parse_probe
from labctl.ready.signals import judge_signals
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=2))
BREWERY = "JvbBrewery@internal.auth.meet.lab.internal"
NOW = 1_790_000_000.0
GOOD = BridgeEvidence(mucs=(BREWERY.lower(),))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(Workdir.of("demo", root=tmp_path), TOPOLOGY)


def state(name: str, *, units: Mapping[str, str] | None = None, **changed: str) -> NodeState:
    answer = render_sections(probe_answer(TOPOLOGY, TOPOLOGY.node(name), units=units, **changed))
    return replace(parse_probe(parse_sections(answer)), clock=NOW)


def healthy(**states: NodeState) -> Evidence:
    every = {node.name: state(node.name) for node in TOPOLOGY.nodes} | states
    return Evidence(
        states=every,
        signals=tuple(judge_signals(TOPOLOGY, every)),
        bridges={"jms": GOOD, "jvb1": GOOD},
        brewery=BREWERY,
        asked=(NOW - 30, NOW),  # a busy machine
    )


def ids(lab: Lab, evidence: Evidence) -> list[tuple[str, str]]:
    return [(each.id, each.where) for each in find_mistakes(lab, evidence)]


def without_bridge(evidence: Evidence, bridge: BridgeEvidence) -> Evidence:
    """Jicofo does not know the bridge of node jvb1."""
    jms = evidence.states["jms"]
    known = {nick: it for nick, it in jms.bridges.items() if nick != "jvb1"}
    states = {**evidence.states, "jms": replace(jms, bridges=known)}
    return replace(evidence, states=states, bridges={"jms": GOOD, "jvb1": bridge})


def test_a_healthy_lab_has_no_mistakes(lab: Lab) -> None:
    assert find_mistakes(lab, healthy()) == []
    assert "Nothing known is wrong" in render_diagnoses("demo", [])


@pytest.mark.parametrize(
    ("bridge", "id"),
    [
        pytest.param(BridgeEvidence(mucs=("Other@internal.auth",)), "wrong-brewery", id="room"),
        pytest.param(
            replace(GOOD, said=("JVB SEVERE: [29] SASLError using SCRAM-SHA-1: not-authorized",)),
            "bridge-password",
            id="password",
        ),
        pytest.param(
            replace(GOOD, said=("WARNING: PKIX path building failed: unable to find valid",)),
            "certificate-untrusted",
            id="certificate",
        ),
        pytest.param(
            replace(GOOD, said=("WARNING: java.net.ConnectException: Connection refused",)),
            "prosody-unreachable",
            id="network",
        ),
        pytest.param(GOOD, "bridge-absent", id="no reason"),
    ],
)
def test_a_bridge_that_is_not_in_the_brewery_says_why(
    lab: Lab, bridge: BridgeEvidence, id: str
) -> None:
    assert ids(lab, without_bridge(healthy(), bridge)) == [(id, "jvb1")]


def test_both_rooms_are_named_where_they_differ(lab: Lab) -> None:
    evidence = without_bridge(healthy(), BridgeEvidence(mucs=("Other@internal.auth",)))
    (found,) = find_mistakes(lab, evidence)
    assert "'Other@internal.auth'" in found.says and f"'{BREWERY}'" in found.says
    shown = render_diagnoses("demo", [found])
    assert found.cure in shown and "docs/troubleshooting.md" in shown


def test_a_bridge_without_an_address_is_named(lab: Lab) -> None:
    health = "No valid IP addresses available for harvesting."
    evidence = replace(healthy(), bridges={"jms": GOOD, "jvb1": replace(GOOD, health=health)})
    assert ids(lab, evidence) == [("bridge-no-address", "jvb1")]


def test_a_stopped_bridge_is_said_once(lab: Lab) -> None:
    stopped = state("jvb1", units={"jitsi-videobridge2.service": "failed"})
    evidence = healthy(jvb1=stopped)
    evidence = without_bridge(evidence, replace(GOOD, active=False))
    assert ids(lab, evidence) == [("unit-stopped", "jvb1")]


@pytest.mark.parametrize(
    ("node", "changed", "id"),
    [
        ("jms", {"connections": "v1\n"}, "vnode-unlinked"),
        ("jms", {"lost": "You are not currently connected to this chat\n"}, "jicofo-lost"),
        ("jvb1", {"ports": ""}, "port-closed"),
    ],
)
def test_what_readiness_misses_is_a_mistake(
    lab: Lab, node: str, changed: Mapping[str, str], id: str
) -> None:
    found = ids(lab, healthy(**{node: state(node, **changed)}))
    assert id in [each for each, _ in found]


def test_a_silent_node_is_a_mistake(lab: Lab) -> None:
    evidence = healthy(visitors1=NodeState(error="No route to host"))
    assert ids(lab, evidence) == [("node-silent", "visitors1")]


@pytest.mark.parametrize(
    ("off", "wrong"), [(3600.0, True), (-3600.0, True), (2.0, False), (-32.0, False)]
)
def test_a_clock_that_is_off_is_named(lab: Lab, off: float, wrong: bool) -> None:
    found = find_mistakes(lab, healthy(jvb1=replace(state("jvb1"), clock=NOW + off)))
    assert [each.id for each in found] == ["clock-off"] * wrong
    assert all(("fast" if off > 0 else "slow") in each.says for each in found)


def test_files_that_somebody_changed_and_silent_media_are_told(lab: Lab) -> None:
    path = "/etc/jitsi/videobridge/jvb.conf"
    said = ("No media through bridge 'jvb1'.", ("The firewall of node 'jvb1' drops UDP.",))
    evidence = replace(healthy(), changed={"jvb1": (path,)}, media=(said,))
    found = find_mistakes(lab, evidence)
    assert [each.id for each in found] == ["file-changed", "media-silent"]
    assert path in found[0].says and "drops UDP" in found[1].says


def test_everything_is_asked_of_the_nodes(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in TOPOLOGY.nodes:
        nodes.says(node.name, probe_answer(TOPOLOGY, node), to=PROBE)
        bridge = {"health": "", "state": "active", "muc": f"{BREWERY}\n", "said": ""}
        nodes.says(node.name, bridge, to="section health")
    nodes.says("jms", {"brewery": f"{BREWERY}\n"}, to="section brewery")
    monkeypatch.setattr(module, "changed_files", lambda lab: {"jvb1": ("/etc/nftables.conf",)})
    monkeypatch.setattr(module, "try_media", lambda lab, **_: ())
    monkeypatch.setattr(time, "time", lambda: NOW)
    told: list[str] = []
    found = diagnose(lab, progress=lambda _, text, **__: told.append(text))
    assert [each.id for each in found] == ["file-changed"]
    assert told
    data = found[0].to_json()
    assert data["page"] == "docs/troubleshooting.md#file-changed"
    assert set(data) == {"id", "name", "status", "what", "why", "cure", "page"}
    assert all(data.values())
