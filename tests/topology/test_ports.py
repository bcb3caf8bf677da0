"""The table of ports follows the topology."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from labctl.topology.layout import resolve
from labctl.topology.ports import declared_ports, origin_addresses, reachable
from labctl.topology.spec import Spec, VisitorsLayout
from labctl.topology.units import PortOrigin, Proto


def numbers(name: str, **wishes: object) -> set[str]:
    topology = resolve(Spec(**wishes))  # type: ignore[arg-type]
    return {str(port) for port in declared_ports(topology, topology.node(name))}


@pytest.mark.parametrize(
    ("name", "wishes", "expected"),
    [
        pytest.param(
            "jms",
            {},
            {"22/tcp", "80/tcp", "443/tcp", "5222/tcp", "5269/tcp", "10000/udp"},
            id="jms",
        ),
        pytest.param(
            "jms",
            {"visitors": 10, "visitors_layout": VisitorsLayout.LOCAL},
            {"22/tcp", "80/tcp", "443/tcp", "5222/tcp", "5269/tcp", "10000/udp"},
            id="jms with ten vnodes on loopback",
        ),
        pytest.param(
            "jms",
            {"turn": True, "visitors": 0},
            {"22/tcp", "80/tcp", "443/tcp", "3478/udp", "5222/tcp", "5269/tcp", "5349/tcp"}
            | {"10000/udp"},
            id="jms with coturn",
        ),
        pytest.param("jvb1", {"turn": True}, {"22/tcp", "10000/udp"}, id="jvb"),
        pytest.param("jvb1", {"relays": True}, {"22/tcp", "9090/tcp", "10000/udp"}, id="relay"),
        pytest.param(
            "jms",
            {"monitoring": True},
            {"22/tcp", "80/tcp", "443/tcp", "5222/tcp", "5269/tcp", "9145/tcp", "10000/udp"},
            id="jms that is monitored",
        ),
        pytest.param(
            "jvb1", {"monitoring": True}, {"22/tcp", "8080/tcp", "10000/udp"}, id="monitored jvb"
        ),
        pytest.param("monitoring", {"monitoring": True}, {"22/tcp"}, id="monitoring"),
        pytest.param(
            "visitors1",
            {"visitors": 10, "visitors_per_node": 10},
            {"22/tcp"}
            | {f"{base + i}/tcp" for base in (52220, 52690, 52800) for i in range(1, 11)},
            id="ten vnodes on one node",
        ),
        pytest.param(
            "visitors2",
            {"visitors": 9, "visitors_per_node": 8},
            {"22/tcp", "52229/tcp", "52699/tcp", "52809/tcp"},
            id="the ninth vnode on a second node",
        ),
    ],
)
def test_declared(name: str, wishes: dict[str, object], expected: set[str]) -> None:
    assert numbers(name, **wishes) == expected


def test_only_those_who_need_a_port_reach_it() -> None:
    topology = resolve(Spec(jvbs=1, visitors=1))
    open_to = {
        str(port): {
            node.name for node in topology.nodes if reachable(topology, port, source=node.address)
        }
        for port in declared_ports(topology, topology.jms)
    }
    everybody = {"jms", "jvb1", "visitors1"}
    assert open_to == {
        "22/tcp": everybody,
        "80/tcp": everybody,
        "443/tcp": everybody,
        "10000/udp": everybody,
        "5222/tcp": {"jvb1"},
        "5269/tcp": {"visitors1"},
    }


def test_the_jms_own_bridge_takes_websockets_from_its_own_nginx_only() -> None:
    topology = resolve(Spec(relays=True))
    [port] = [p for p in declared_ports(topology, topology.jms) if p.number == 9090]
    assert port.from_ is PortOrigin.SELF
    assert not any(reachable(topology, port, source=node.address) for node in topology.nodes)


def test_origins() -> None:
    topology = resolve(Spec(jvbs=1, visitors=1))
    assert origin_addresses(topology, PortOrigin.ANY) is None
    assert origin_addresses(topology, PortOrigin.SELF) == ()
    assert origin_addresses(topology, PortOrigin.HOST) == (IPv4Address("192.168.56.1"),)
    assert len(origin_addresses(topology, PortOrigin.CLUSTER) or ()) == len(topology.nodes)


def test_ports_of_one_node_are_unique() -> None:
    topology = resolve(Spec(visitors=64, visitors_per_node=64, relays=True))
    for node in topology.nodes:
        ports = [(port.proto, port.number) for port in declared_ports(topology, node)]
        assert len(ports) == len(set(ports))
        assert all(port.proto in Proto for port in declared_ports(topology, node))


@pytest.mark.parametrize(("name", "number"), [("jms", 9145), ("jvb1", 8080)])
def test_metrics_are_for_the_monitoring_node_only(name: str, number: int) -> None:
    topology = resolve(Spec(jvbs=2, visitors=1, monitoring=True))
    ports = {port.number: port for port in declared_ports(topology, topology.node(name))}
    sources = {node.name: node.address for node in topology.nodes}
    sources["host"] = topology.host_address
    reaches = {who for who, it in sources.items() if reachable(topology, ports[number], source=it)}
    assert reaches == {"monitoring"}


def test_a_port_says_which_program_listens() -> None:
    """Its own words if it has some, else its unit's name."""
    topology = resolve(Spec(jvbs=1, visitors=1))
    what = {str(port): port.what for port in declared_ports(topology, topology.jms)}
    assert what["443/tcp"] == "nginx"
    assert what["10000/udp"] == "jitsi-videobridge2"
    assert what["22/tcp"] == "sshd"
