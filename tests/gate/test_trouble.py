"""Where the trouble of an `up` came from, over nodes that pretend."""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.gate.blame import find_trouble
from labctl.gate.model import Trouble
from labctl.node.seam import UnreachableError
from labctl.topology.lab import Lab
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes

ERROR = LabError("It was not ready.", hint="Look.")


def test_a_silent_node_is_not_the_packages_fault(lab: Lab, nodes: FakeNodes) -> None:
    nodes.silence("jvb1", "No route to host")
    trouble = find_trouble(lab, phase="ready", error=ERROR)
    assert not trouble.packages
    assert trouble.evidence == (
        "node 'jvb1': Node 'jvb1' cannot be reached by ssh: No route to host.",
    )


def test_a_unit_that_died_is_told_with_its_last_words(lab: Lab, nodes: FakeNodes) -> None:
    node = lab.topology.node("jvb1")
    answer = probe_answer(lab.topology, node, units={"jitsi-videobridge2.service": "failed"})
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


def test_of_several_units_the_first_is_asked_for_its_last_words(lab: Lab, nodes: FakeNodes) -> None:
    jvb1, jms = lab.topology.node("jvb1"), lab.topology.jms
    for node, unit, state in (
        (jvb1, "jitsi-videobridge2.service", "failed"),
        (jms, "jicofo.service", "inactive"),
    ):
        answer = probe_answer(lab.topology, node, units={unit: state})
        nodes.says(node.name, answer, to=PROBE)
    words = [f"line {n}" for n in range(30)]
    nodes.says("jvb1", "\n".join(["it broke  ", "", " ", *words, "it broke"]), to="tail -n", code=1)
    trouble = find_trouble(lab, phase="ready", error=ERROR)
    assert trouble == Trouble(
        "ready",
        "It was not ready.",
        packages=True,
        package="jitsi-videobridge2",
        evidence=(
            "jvb1: jitsi-videobridge2.service is failed (failed)",
            "jms: jicofo.service is inactive (dead)",
            *(f"  | {word}" for word in words[-24:]),
        ),
        hint="Look.",
    )
    (ran,) = nodes.ran_on("jvb1", "tail -n")
    assert ran.text == (
        "tail -n 12 /var/log/jitsi/jvb.log 2>/dev/null; "
        "journalctl -b -u jitsi-videobridge2.service --no-pager -o cat -n 12 2>/dev/null"
    )
    assert (ran.sudo, ran.seconds) == (True, 20)


def test_a_log_that_cannot_be_read_is_said(lab: Lab, nodes: FakeNodes) -> None:
    def vanish(ran: object) -> str:
        raise UnreachableError("jvb1", "No route to host")

    node = lab.topology.node("jvb1")
    answer = probe_answer(lab.topology, node, units={"jitsi-videobridge2.service": "failed"})
    nodes.says("jvb1", answer, to=PROBE)
    nodes.says("jvb1", vanish, to="tail -n")
    trouble = find_trouble(lab, phase="ready", error=ERROR)
    assert trouble.evidence[1:] == (
        "its log cannot be read: Node 'jvb1' cannot be reached by ssh: No route to host.",
    )


def test_what_is_missing_now_is_the_evidence_where_every_unit_runs(
    lab: Lab, nodes: FakeNodes
) -> None:
    answer = probe_answer(lab.topology, lab.topology.jms, connections="v1\n")
    nodes.says("jms", answer, to=PROBE)
    assert find_trouble(lab, phase="ready", error=ERROR) == Trouble(
        "ready",
        "It was not ready.",
        packages=True,
        evidence=("vnodes: not registered: v2",),
        hint="Look.",
    )


def test_of_silent_nodes_each_is_named(lab: Lab, nodes: FakeNodes) -> None:
    for name in ("jms", "jvb1"):
        nodes.silence(name, "No route to host")
    assert find_trouble(lab, phase="provision", error=ERROR) == Trouble(
        "provision",
        "It was not ready.",
        packages=False,
        evidence=tuple(
            f"node '{name}': Node '{name}' cannot be reached by ssh: No route to host."
            for name in ("jms", "jvb1")
        ),
    )


def test_nothing_that_is_wrong_now_does_not_excuse_the_packages(lab: Lab) -> None:
    assert find_trouble(lab, phase="ready", error=ERROR) == Trouble(
        "ready",
        "It was not ready.",
        packages=True,
        evidence=("now every unit runs and every port answers",),
        hint="Look.",
    )
