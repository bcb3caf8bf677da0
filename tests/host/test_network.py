"""The lab's network: what iproute2 prints, and what follows from it."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from labctl.core.errors import LabError
from labctl.host.network import (
    Conflict,
    Interface,
    check_network,
    find_overlap,
    network_problem,
    parse_interfaces,
    prove_local,
    stray,
)
from labctl.host.routes import Route, parse_routes

LAB = IPv4Network("192.168.56.0/24")

ADDRESSES = json.dumps(
    [
        {
            "ifname": "lo",
            "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}],
        },
        {},
        {
            "ifname": "lab-1a2b3c4d",
            "addr_info": [
                {"family": "inet", "local": "192.168.56.1", "prefixlen": 24},
                {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
            ],
        },
    ]
)
ROUTES = json.dumps(
    [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
        {"dst": "192.168.0.0/16", "gateway": "10.8.0.1", "dev": "tun0"},
        {"dst": "192.168.56.0/24", "dev": "lab-1a2b3c4d", "flags": ["linkdown"]},
        {"type": "unreachable", "dst": "10.9.0.7"},
    ]
)

LO = Interface("lo", (IPv4Interface("127.0.0.1/8"),))
BRIDGE = Interface("lab-1a2b3c4d", (IPv4Interface("192.168.56.1/24"),))
DEFAULT = Route(IPv4Network("0.0.0.0/0"), "eth0", IPv4Address("192.0.2.1"))
VPN = Route(IPv4Network("192.168.0.0/16"), "tun0", IPv4Address("10.8.0.1"))


def test_interfaces_are_read_with_their_ipv4_addresses_only() -> None:
    assert parse_interfaces(ADDRESSES) == (LO, BRIDGE)


def test_routes_are_read_with_and_without_gateway_and_device() -> None:
    assert parse_routes(ROUTES) == (
        DEFAULT,
        VPN,
        Route(LAB, "lab-1a2b3c4d"),
        Route(IPv4Network("10.9.0.7/32"), "unreachable"),
    )


@pytest.mark.parametrize("parse", [parse_interfaces, parse_routes])
def test_no_output_is_no_entry(parse: object) -> None:
    assert callable(parse) and parse("") == () and parse("[]") == ()


@pytest.mark.parametrize(
    ("interfaces", "routes", "allow", "conflict"),
    [
        pytest.param([LO], [DEFAULT], (), None, id="only the default route"),
        pytest.param(
            [LO, BRIDGE],
            [],
            (),
            Conflict("lab-1a2b3c4d", "address 192.168.56.1/24"),
            id="an interface of the same network",
        ),
        pytest.param([BRIDGE], [Route(LAB, BRIDGE.name)], (BRIDGE.name,), None, id="its own"),
        pytest.param(
            [LO], [DEFAULT, VPN], (), Conflict("tun0", "route to 192.168.0.0/16 via 10.8.0.1"),
            id="a wider route of a VPN",
        ),
        pytest.param(
            [Interface("vmnet1", (IPv4Interface("192.168.56.129/25"),))], [], (),
            Conflict("vmnet1", "address 192.168.56.129/25"), id="half of the network",
        ),
        pytest.param(
            [BRIDGE], [VPN], (BRIDGE.name,),
            Conflict("tun0", "route to 192.168.0.0/16 via 10.8.0.1"), id="its own and a VPN",
        ),
    ],
)  # fmt: skip
def test_overlaps_are_found_and_named(
    interfaces: list[Interface],
    routes: list[Route],
    allow: tuple[str, ...],
    conflict: Conflict | None,
) -> None:
    assert find_overlap(LAB, interfaces, routes, allow=allow) == conflict


@pytest.mark.parametrize(
    ("network", "offsets", "says"),
    [
        pytest.param("192.168.56.0/24", (105, 254), None, id="fits"),
        pytest.param("10.0.0.0/16", (201,), None, id="larger"),
        pytest.param("8.8.8.0/24", (105,), "is not private", id="public"),
        pytest.param("100.64.0.0/24", (105,), "is not private", id="shared, not RFC 1918"),
        pytest.param("172.0.0.0/8", (105,), "is not private", id="wider than the private block"),
        pytest.param("192.168.56.0/25", (105, 201), "number 201", id="too small"),
        pytest.param("192.168.56.0/24", (255,), "number 255", id="broadcast address"),
        pytest.param("192.168.56.7/32", (), "has 0 addresses", id="one address"),
    ],
)
def test_networks_are_judged(network: str, offsets: tuple[int, ...], says: str | None) -> None:
    problem = network_problem(IPv4Network(network), offsets=offsets)
    assert problem is None if says is None else says in (problem or "")


@pytest.mark.parametrize(
    ("address", "route", "says"),
    [
        pytest.param("192.168.56.105", Route(LAB, "lab0"), None, id="on the link"),
        pytest.param("192.168.57.1", Route(LAB, "lab0"), "is not in", id="not of the network"),
        pytest.param("192.168.56.105", VPN, "leave through 'tun0' via 10.8.0.1", id="by a VPN"),
        pytest.param(
            "192.168.56.105", Route(LAB, "lab0", IPv4Address("192.168.56.2")),
            "via 192.168.56.2", id="by a gateway on the right interface",
        ),
    ],
)  # fmt: skip
def test_packets_must_stay_on_the_lab(address: str, route: Route, says: str | None) -> None:
    problem = stray(IPv4Address(address), route, network=LAB, device="lab0")
    assert problem is None if says is None else says in (problem or "")


@pytest.mark.programs
def test_this_machine_proves_loopback_and_refuses_what_it_does_not_own() -> None:
    loopback = IPv4Network("127.0.0.0/8")
    assert prove_local([], loopback) == "lo"
    with pytest.raises(LabError, match=r"No interface .* owns 198\.51\.100\.1/24"):
        prove_local([IPv4Address("198.51.100.7")], IPv4Network("198.51.100.0/24"))


def test_a_public_network_is_refused_before_anything_is_read() -> None:
    with pytest.raises(LabError, match="not private"):
        check_network(IPv4Network("203.0.113.0/24"))
