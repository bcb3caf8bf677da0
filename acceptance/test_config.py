"""The same vnodes everywhere: each of the five places that name them names the same ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from pyhocon import ConfigFactory

from acceptance import facts as gathering
from acceptance import remote
from acceptance.facts import Facts
from acceptance.remote import Machine
from labctl.topology.model import Topology, VNode

pytestmark = [pytest.mark.config, pytest.mark.visitors]


def vnodes_of_jicofo(facts: Facts) -> dict[str, tuple[str, int, str]]:
    """Name -> address, port and domain in jicofo.conf."""
    tree = ConfigFactory.parse_string(facts.text("jicofo.conf"), resolve=False)
    found = tree.get("jicofo.xmpp.visitors", {})
    return {
        name: (found[name]["hostname"], int(found[name]["port"]), found[name]["xmpp-domain"])
        for name in found
    }


def vnodes_of_nginx(facts: Facts) -> tuple[dict[str, str], dict[str, str]]:
    """What $arg_vnode is mapped to, and upstream name -> server, in what nginx really loads."""
    text = facts.text("nginx configuration")
    mapping = re.search(r"map\s+\$arg_vnode\s+\$prosody_node\s*\{(.*?)\}", text, re.DOTALL)
    mapped = dict(re.findall(r"^\s*(v\d+)\s+(\S+);", mapping[1] if mapping else "", re.MULTILINE))
    upstreams = re.findall(r"upstream\s+(v\d+)\s*\{.*?server\s+([^\s;]+)", text, re.DOTALL)
    return mapped, dict(upstreams)


def test_jicofo_names_the_vnodes(topology: Topology, facts: Mapping[str, Facts | str]) -> None:
    """When this fails, a vnode that runs is never used, or one is used that does not run."""
    expected = {
        vnode.name: (str(node.vnode_address), vnode.c2s_port, vnode.domain)
        for vnode, node in topology.vnode_nodes()
    }
    assert vnodes_of_jicofo(gathering.of(facts, "jms")) == expected


def test_main_prosody_reaches_the_vnodes(
    topology: Topology, facts: Mapping[str, Facts | str]
) -> None:
    """When this fails, visitors of a vnode are let in but see and hear nobody."""
    expected = {
        f"{prefix}{vnode.domain}": f"tcp://{node.vnode_address}:{vnode.s2s_port}"
        for vnode, node in topology.vnode_nodes()
        for prefix in ("", "conference.", "polls.")
    }
    lines = gathering.of(facts, "jms").lines("s2s overrides")
    assert dict(line.split() for line in lines) == expected


def test_nginx_reaches_the_vnodes(topology: Topology, facts: Mapping[str, Facts | str]) -> None:
    """When this fails, visitors get HTTP 502, or land on the main Prosody and are refused."""
    mapped, upstreams = vnodes_of_nginx(gathering.of(facts, "jms"))
    expected = {
        vnode.name: f"{node.vnode_address}:{vnode.http_port}"
        for vnode, node in topology.vnode_nodes()
    }
    assert (set(mapped.values()), upstreams) == (set(expected), expected)
    assert all(name == server for name, server in mapped.items())


def test_units_are_the_vnodes(topology: Topology, facts: Mapping[str, Facts | str]) -> None:
    """When this fails, a vnode is missing on its node, or one is left over from an earlier lab."""
    expected = {node.name: {vnode.unit for vnode in node.vnodes} for node in topology.nodes}
    seen = {name: set(gathering.of(facts, name).lines("vnode units")) for name in expected}
    assert seen == expected


def test_vnode_answers_through_nginx(jms: Machine, topology: Topology, vnode: VNode) -> None:
    """When this fails, no visitor reaches this vnode from outside."""
    result = remote.run(
        jms,
        f"curl -s --max-time {jms.patience.whole(5)} --resolve %s:443:%s %s",
        topology.domain,
        str(topology.jms.address),
        f"https://{topology.domain}/http-bind?vnode={vnode.name}",
    )
    assert "It works!" in result.stdout, result.stderr
