"""Topology: addresses, names, ports, and its way through JSON."""

import json

import pytest

from labctl.topology.keys import AUTO_NETWORK, plain, revive
from labctl.topology.layout import resolve
from labctl.topology.model import Topology, VNode
from labctl.topology.spec import Role, Spec, VisitorsLayout


def test_the_how_to_lab_has_the_how_to_addresses() -> None:
    topology = resolve(Spec(jvbs=2, visitors=8))
    found = {node.name: str(node.address) for node in topology.nodes}
    assert found == {
        "jms": "192.168.56.105",
        "jvb1": "192.168.56.106",
        "jvb2": "192.168.56.107",
        "visitors1": "192.168.56.201",
    }
    assert topology.bridges == ("jvb", "jvb1", "jvb2")
    assert str(topology.host_address) == "192.168.56.1"


def test_vnodes_are_spread_over_nodes_in_order() -> None:
    topology = resolve(Spec(visitors=10, visitors_per_node=4))
    held = {node.name: [v.name for v in node.vnodes] for node in topology.nodes if node.vnodes}
    assert held == {
        "visitors1": ["v1", "v2", "v3", "v4"],
        "visitors2": ["v5", "v6", "v7", "v8"],
        "visitors3": ["v9", "v10"],
    }


def test_local_vnodes_are_on_the_jms_and_on_loopback() -> None:
    topology = resolve(Spec(jvbs=1, visitors=12, visitors_layout=VisitorsLayout.LOCAL))
    assert [node.name for node in topology.nodes] == ["jms", "jvb1"]
    assert [vnode.index for vnode in topology.jms.vnodes] == list(range(1, 13))
    assert {str(node.vnode_address) for _, node in topology.vnode_nodes()} == {"127.0.0.1"}


def test_vnodes_of_a_node_are_at_its_address() -> None:
    topology = resolve(Spec(visitors=1))
    assert str(topology.node("visitors1").vnode_address) == "192.168.56.201"


def test_a_lab_without_bridges_and_vnodes_is_a_jms() -> None:
    topology = resolve(Spec(jvbs=0, visitors=0))
    assert [node.name for node in topology.nodes] == ["jms"]
    assert topology.bridges == ("jvb",)
    assert topology.vnodes == ()


@pytest.mark.parametrize(
    ("index", "ports"),
    [(1, (52221, 52691, 52801)), (8, (52228, 52698, 52808)), (12, (52232, 52702, 52812))],
)
def test_ports_are_added_not_glued(index: int, ports: tuple[int, int, int]) -> None:
    vnode = VNode(index)
    assert (vnode.c2s_port, vnode.s2s_port, vnode.http_port) == ports


def test_ports_of_all_vnodes_are_distinct() -> None:
    ports = [
        port
        for index in range(1, 65)
        for port in (VNode(index).c2s_port, VNode(index).s2s_port, VNode(index).http_port)
    ]
    assert len(set(ports)) == len(ports)


def test_topology_survives_json() -> None:
    topology = resolve(Spec(visitors=3, relays=True, turn=True)).with_images(
        {role: f"labctl/{role}:abc" for role in Role}
    )
    assert Topology.from_json(json.loads(json.dumps(topology.to_json()))) == topology


def test_another_format_is_refused() -> None:
    data = resolve(Spec()).to_json() | {"format": 99}
    with pytest.raises(ValueError, match="topology format 99"):
        Topology.from_json(data)


def test_a_node_that_does_not_exist_is_named() -> None:
    with pytest.raises(KeyError, match="jvb9"):
        resolve(Spec()).node("jvb9")


def test_a_node_written_before_there_was_turn_has_none() -> None:
    data = resolve(Spec(jvbs=0, visitors=0, turn=True)).to_json()
    assert Topology.from_json(data).jms.turn is True
    for node in data["nodes"]:
        del node["turn"]
    assert Topology.from_json(data).jms.turn is False


def test_a_network_that_is_not_chosen_yet_stays_so() -> None:
    spec = Spec(network=AUTO_NETWORK)
    assert plain(spec)["network"] == "auto"
    assert revive(Spec, plain(spec)).network == AUTO_NETWORK
