"""Where the trouble of an `up` came from, over nodes that pretend."""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.gate.blame import find_trouble
from labctl.topology.lab import Lab
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes

ERROR = LabError("It was not ready.", hint="Look.")
DEAD = "ActiveState=failed\nSubState=failed\nNRestarts=5\nUnitFileState=enabled\n"


def test_a_silent_node_is_not_the_packages_fault(lab: Lab, nodes: FakeNodes) -> None:
    nodes.silence("jvb1", "No route to host")
    trouble = find_trouble(lab, phase="ready", error=ERROR)
    assert not trouble.packages
    assert trouble.evidence == (
        "node 'jvb1': Node 'jvb1' cannot be reached by ssh: No route to host.",
    )


def test_a_unit_that_died_is_told_with_its_last_words(lab: Lab, nodes: FakeNodes) -> None:
    node = lab.topology.node("jvb1")
    answer = probe_answer(lab.topology, node, **{"unit jitsi-videobridge2.service": DEAD})
    nodes.says("jvb1", answer, to=PROBE)
    nodes.says("jvb1", "it broke\n\nit broke\n", to="tail -n")
    trouble = find_trouble(lab, phase="provision", error=ERROR)
    assert (trouble.packages, trouble.package) == (True, "jitsi-videobridge2")
    assert trouble.evidence == (
        "jvb1: jitsi-videobridge2.service is failed (failed)",
        "  | it broke",
    )


def test_nothing_that_is_wrong_now_is_said(lab: Lab) -> None:
    trouble = find_trouble(lab, phase="ready", error=ERROR)
    assert trouble.evidence == ("now every unit runs and every port answers",)
