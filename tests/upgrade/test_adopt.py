"""What packages are told of nodes that labctl has configured without them."""

from __future__ import annotations

import pytest

from labctl.topology.lab import Lab
from labctl.upgrade.adopt import adopt
from tests.fakes.nodes import FakeNodes, Ran

DONE = "jitsi-meet-prosody/jvb-hostname string {}"


@pytest.fixture
def told(lab: Lab, nodes: FakeNodes) -> dict[str, Ran]:
    for node in lab.topology.nodes:
        nodes.says(node.name, "", to="debconf-set-selections")
    adopt(lab)
    return {ran.node: ran for ran in nodes.ran}


def test_every_node_knows_the_labs_domain(told: dict[str, Ran], lab: Lab) -> None:
    assert set(told) == {node.name for node in lab.topology.nodes}
    for ran in told.values():
        assert ran.asks("jitsi-videobridge/jvb-hostname string meet.lab.internal\n")


def test_a_jms_is_set_up_by_hand(told: dict[str, Ran]) -> None:
    assert told["jms"].asks(DONE.format("meet.lab.internal\n"))
    # What the packages would add or replace is as they want it.
    assert told["jms"].asks('Include "conf.d/*.cfg.lua"')
    assert told["jms"].asks("kept=/var/lib/prosody/${file##*/}")
    assert not told["jms"].asks("dpkg-reconfigure")


def test_a_server_with_vnodes_is_set_up_by_the_package(told: dict[str, Ran]) -> None:
    """A host file without the host in it fails the package's script: accounts have no place."""
    assert told["visitors1"].asks("dpkg-reconfigure jitsi-meet-prosody")
    # A note that it is set up already would keep the package from doing it.
    assert told["visitors1"].asks(DONE.format("\n"))
    assert not told["visitors1"].asks("conf.avail")


def test_a_bridge_has_no_prosody(told: dict[str, Ran]) -> None:
    assert not told["jvb1"].asks("/etc/prosody")
    assert not told["jvb1"].asks("dpkg-reconfigure")
