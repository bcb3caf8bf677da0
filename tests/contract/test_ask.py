"""What nodes are asked, and the judgement of what they answer, over nodes that pretend."""

from __future__ import annotations

import pytest

from labctl.contract.check import check_lab
from labctl.contract.table import ContractEntry, EntryKind
from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.topology.lab import Lab
from labctl.topology.spec import Role
from tests.fakes.nodes import ANY, FakeNodes

ENTRY = ContractEntry(
    "jvb.exits",
    "jitsi-videobridge2",
    EntryKind.EXIT,
    "docs/facts/packages.md, 2",
    {"command": "jvb --check", "status": 0},
    frozenset({Role.JVB, Role.JMS}),
)
VERSIONS = "jitsi-videobridge2 2.3-1 ii \n"


def test_an_entry_is_asked_where_its_package_is(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says(ANY, {"versions": VERSIONS, "jvb.exits": "exit 0\n"}, to="dpkg-query")
    nodes.says("jvb1", {"versions": VERSIONS, "jvb.exits": "bad\nexit 3\n"}, to="dpkg-query")
    checked = check_lab(lab, [ENTRY], progress=silent)
    assert [(each.node, bool(each.problems)) for each in checked.findings] == [
        ("jms", False),
        ("jvb1", True),
    ]
    assert checked.versions["jms"] == {"jitsi-videobridge2": "2.3-1"}
    # Too long for an argument: the script is data of a shell.
    assert {ran.text for ran in nodes.ran} == {"sh -s"}
    assert not nodes.ran_on("visitors1", "jvb --check")


def test_a_node_that_does_not_answer_is_an_error(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says(ANY, {"versions": VERSIONS}, to="dpkg-query")
    nodes.silence("jvb1")
    with pytest.raises(LabError, match="'jvb1' cannot be reached"):
        check_lab(lab, [ENTRY], progress=silent)
