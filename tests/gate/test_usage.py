"""What nodes are asked about the processors, over nodes that pretend and by a real shell."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest

from labctl.core.waiting import Patience
from labctl.gate.usage import _FUNCTIONS as FUNCTIONS
from labctl.gate.usage import ask_usage, time_starts
from labctl.ready.probe import expected_units
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


def test_nodes_are_asked_as_root_for_all_their_units(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "node 1.0\n", to="node_cpu", code=1)
    found = ask_usage(lab)
    assert {usage.node for usage in found.values()} == {1.0}
    for node in lab.topology.nodes:
        (ran,) = nodes.ran_on(node.name)
        assert (ran.sudo, ran.seconds) == (True, 15)
        assert f"for unit in {' '.join(expected_units(node))}; do" in ran.text


def test_starts_are_waited_for_as_long_as_the_machines_need(lab: Lab, nodes: FakeNodes) -> None:
    bridge = lab.topology.bridges[-1]
    nodes.says("*", "start x 1000\n", code=1)
    slow = replace(lab, patience=Patience(2.0))
    found = time_starts(slow, times=3)
    assert [(each.name, each.seconds, each.cpu) for each in found] == [("x", 1.0, None)] * 2
    for name in (bridge, "jms"):
        (ran,) = nodes.ran_on(name)
        assert (ran.sudo, ran.seconds) == (True, 2 * 3 * (45 + 40 + 30))
        assert ran.text.count("+ 90 * 1000000000") == 3
        assert ran.text.startswith(FUNCTIONS)


@pytest.mark.parametrize(
    ("node", "unit", "log"),
    [
        ("jvb1", "jitsi-videobridge2", "/var/log/jitsi/jvb.log"),
        ("jms", "jicofo", "/var/log/jitsi/jicofo.log"),
    ],
)
def test_a_start_is_timed_until_the_program_says_that_it_is_ready(
    lab: Lab, nodes: FakeNodes, node: str, unit: str, log: str
) -> None:
    nodes.says("*")
    time_starts(lab, times=1)
    (ran,) = nodes.ran_on(node)
    for words in (
        f"systemctl stop {unit}.service",
        f"size=$(stat -c %s {log} ",
        f"systemctl start {unit}.service",
        f'echo "start {unit} $(((now - began) / 1000000)) $(unit_cpu {unit}.service)"',
    ):
        assert f"\n{words}" in ran.text or f"&& {words}" in ran.text
