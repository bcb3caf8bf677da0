"""What nodes are asked about the processors, over nodes that pretend and by a real shell."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest

from labctl.gate.usage import ask_usage, time_starts
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from tests.fakes.nodes import FakeNodes


def test_every_node_is_asked_and_a_silent_one_is_unknown(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "node 12.5\nunit nginx.service 0.250\n", to="node_cpu")
    nodes.silence("jvb1", "No route to host")
    found = ask_usage(lab)
    assert found["jms"].node == 12.5
    assert found["jms"].units == {"nginx.service": 0.25}
    assert found["jvb1"].node is None
    assert set(found) == {node.name for node in lab.topology.nodes}


def test_a_bridge_and_jicofo_are_started_again(lab: Lab, nodes: FakeNodes) -> None:
    bridge = lab.topology.bridges[-1]
    nodes.says(bridge, "start jitsi-videobridge2 2600 3.1\n", to="jitsi-videobridge2.service")
    nodes.says("jms", "start jicofo 2650 2.9\n", to="systemctl start jicofo.service")
    found = time_starts(lab, times=2)
    assert [(each.name, each.seconds, each.cpu) for each in found] == [
        ("jitsi-videobridge2", 2.6, 3.1),
        ("jicofo", 2.65, 2.9),
    ]
    (asked,) = nodes.ran_on("jms")
    assert asked.text.count("systemctl start jicofo.service") == 2
    assert f'"operational_bridge_count": *{len(lab.topology.bridges)}[,}}]' in asked.text


def test_the_only_bridge_is_on_the_jms(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*")
    alone = replace(lab, topology=resolve(replace(lab.topology.spec, jvbs=0)))
    time_starts(alone, times=1)
    assert [ran.node for ran in nodes.ran] == ["jms", "jms"]


def test_a_bridge_is_stopped_only_when_it_answers(lab: Lab, nodes: FakeNodes) -> None:
    """One that joined a moment ago may not be up, and would not say goodbye."""
    nodes.says("*")
    time_starts(lab, times=3)
    (asked,) = nodes.ran_on(lab.topology.bridges[-1])
    steps = re.findall(r"/about/health; do|systemctl stop jitsi-videobridge2", asked.text)
    assert steps == ["/about/health; do", "systemctl stop jitsi-videobridge2"] * 3


@pytest.mark.programs
def test_a_shell_understands_what_nodes_are_asked(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*")
    ask_usage(lab)
    time_starts(lab, times=1)
    scripts = {ran.text for ran in nodes.ran}
    assert len(scripts) >= 3
    for script in scripts:
        done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
        assert done.stderr == ""
