"""Open is what is declared (labctl/topology/ports.py), to whom it is declared, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from acceptance import facts as gathering
from acceptance.facts import Facts
from acceptance.scan import HOST, Scans, open_ports
from labctl.topology.model import Node, Topology
from labctl.topology.ports import declared_ports
from labctl.topology.units import Proto

pytestmark = pytest.mark.ports


def expected_and_seen(
    topology: Topology, node: Node, scans: Scans
) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """The TCP ports of `node` that each source should reach, and those that answered it."""
    addresses = {HOST: topology.host_address} | {n.name: n.address for n in topology.nodes}
    expected: dict[str, set[int]] = {}
    seen: dict[str, set[int]] = {}
    for source, found in scans.items():
        if source == node.name:
            continue
        if isinstance(found, str):
            pytest.fail(f"'{source}' could not look at the ports: {found}", pytrace=False)
        expected[source] = open_ports(topology, node, source=addresses[source])
        seen[source] = {port for address, port in found if address == node.address}
    return expected, seen


def test_node_listens_on_declared_ports_only(
    topology: Topology, facts: Mapping[str, Facts | str], node: Node
) -> None:
    """When this fails, a service that users need is not there, or one nobody decided on is."""
    declared = {
        f"{port.number}/tcp" for port in declared_ports(topology, node) if port.proto is Proto.TCP
    }
    listening = {
        f"{it.port}/tcp"
        for it in gathering.of(facts, node.name).listeners
        if it.proto == "tcp" and not it.on_loopback
    }
    assert listening == declared


def test_media_port_is_bound(facts: Mapping[str, Facts | str], bridge: Node) -> None:
    """When this fails, nobody on this bridge hears or sees anybody."""
    held = gathering.of(facts, bridge.name).listening("udp", 10000)
    assert [it for it in held if not it.on_loopback], f"nothing holds 10000/udp on {bridge.name}"


def test_declared_ports_answer(topology: Topology, scans: Scans, node: Node) -> None:
    """When this fails, a part of the conference system cannot reach another one."""
    expected, seen = expected_and_seen(topology, node, scans)
    missing = {source: expected[source] - seen[source] for source in expected}
    assert {source: ports for source, ports in missing.items() if ports} == {}


@pytest.mark.security
def test_nothing_else_answers(topology: Topology, scans: Scans, node: Node) -> None:
    """When this fails, somebody on the network reaches what is meant for the system itself."""
    expected, seen = expected_and_seen(topology, node, scans)
    surplus = {source: seen[source] - expected[source] for source in expected}
    assert {source: ports for source, ports in surplus.items() if ports} == {}
