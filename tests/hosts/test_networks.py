"""Networks that people have: VPN clients, policy routing, a small MTU."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.core.process import run
from labctl.host import network
from labctl.host.network import NetworkTakenError, check_network, find_overlap
from labctl.host.policy import find_diversion, parse_rules
from labctl.host.routes import Route, outer_mtu, parse_routes, pieces_of_default
from labctl.lab import doctor
from labctl.providers.docker.checks import check_mtu
from tests.hosts.netns import look

LAB = IPv4Network("192.168.56.0/24")

# Recorded: `ip -j -4 route show table all` and `ip -j -4 rule show` of iproute2 6.1, with an
# OpenVPN client (redirect-gateway def1), with WireGuard (wg-quick) and with Tailscale.
OPENVPN = """[
{"dst":"0.0.0.0/1","gateway":"10.8.0.1","dev":"tun0","flags":[]},
{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
{"dst":"10.8.0.0/24","dev":"tun0","protocol":"kernel","scope":"link","prefsrc":"10.8.0.6","flags":[]},
{"dst":"128.0.0.0/1","gateway":"10.8.0.1","dev":"tun0","flags":[]},
{"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"192.0.2.2","flags":[]},
{"type":"local","dst":"10.8.0.6","dev":"tun0","table":"local","protocol":"kernel","scope":"host",
 "prefsrc":"10.8.0.6","flags":[]}]"""
USUAL_RULES = """[{"priority":0,"src":"all","table":"local"},
{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]"""
WIREGUARD_RULES = """[{"priority":0,"src":"all","table":"local"},
{"priority":32764,"src":"all","table":"main","suppress_prefixlen":0},
{"priority":32765,"not":null,"src":"all","fwmark":"0xca6c","table":"51820"},
{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]"""
TAILSCALE_RULES = """[{"priority":0,"src":"all","table":"local"},
{"priority":5210,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","table":"main"},
{"priority":5230,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","table":"default"},
{"priority":5250,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","action":"unreachable"},
{"priority":5270,"src":"all","table":"52"},
{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]"""
TAILSCALE_ROUTES = """[{"type":"throw","dst":"127.0.0.0/8","table":"52","flags":[]},
{"dst":"100.64.0.7","dev":"tailscale0","table":"52","flags":[]},
{"dst":"192.168.0.0/16","dev":"tailscale0","table":"52","scope":"link","flags":[]},
{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]}]"""


def routes(*texts: str, device: str = "wg0") -> list[Route]:
    return [Route(IPv4Network(text), device) for text in texts]


EXCEPT_LAN = routes(
    *("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/9", "192.128.0.0/11", "192.160.0.0/13"),
    *("192.168.64.0/18", "192.168.128.0/17", "192.168.32.0/19", "192.168.16.0/20"),
    *("192.169.0.0/16", "192.170.0.0/15", "192.172.0.0/14", "192.176.0.0/12"),
    *("192.192.0.0/10", "193.0.0.0/8", "194.0.0.0/7", "196.0.0.0/6", "200.0.0.0/5", "208.0.0.0/4"),
)
"""What a client makes of "everything but 192.168.0.0/20": no default route, many pieces."""


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(parse_routes(OPENVPN), None, id="OpenVPN's two halves"),
        pytest.param(EXCEPT_LAN, None, id="all but this machine's network"),
        pytest.param(
            [*parse_routes(OPENVPN), *routes("192.168.0.0/16", device="tun0")],
            "route to 192.168.0.0/16",
            id="halves and a company's network",
        ),
        pytest.param(
            [*EXCEPT_LAN, *routes("192.168.56.0/24")],
            "route to 192.168.56.0/24",
            id="pieces and the lab's network itself",
        ),
        pytest.param(routes("192.128.0.0/9"), "route to 192.128.0.0/9", id="less than half of all"),
        pytest.param(
            [Route(IPv4Network("0.0.0.0/0"), "eth0"), *routes("192.168.0.0/16", device="eth0")],
            "route to 192.168.0.0/16",
            id="one route besides the default",
        ),
    ],
)
def test_a_default_route_in_pieces_takes_no_network(given: list[Route], taken: str | None) -> None:
    conflict = find_overlap(LAB, [], given)
    assert (conflict and conflict.what.partition(" via")[0]) == taken


def test_pieces_are_told_from_other_routes() -> None:
    found = {str(route.destination) for route in pieces_of_default(parse_routes(OPENVPN))}
    assert found == {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"}


def rule(more: str) -> str:
    return f'[{{"priority":100,"src":"all","table":"7",{more}}},{{"priority":200,"table":"main"}}]'


ELSEWHERE = Route(IPv4Network("0.0.0.0/0"), "wan1", table="7")


@pytest.mark.parametrize(
    ("rules", "given", "says"),
    [
        pytest.param(USUAL_RULES, [ELSEWHERE], None, id="a table that nobody asks"),
        pytest.param(
            WIREGUARD_RULES,
            [Route(IPv4Network("0.0.0.0/0"), "wg0", table="51820")],
            None,
            id="WireGuard leaves narrower routes alone",
        ),
        pytest.param(
            TAILSCALE_RULES,
            parse_routes(TAILSCALE_ROUTES),
            "rule 5270 of 'ip rule' sends them to table '52', whose route to 192.168.0.0/16 is"
            " through 'tailscale0'",
            id="Tailscale with accepted routes",
        ),
        pytest.param(
            TAILSCALE_RULES,
            [Route(IPv4Network("100.64.0.7/32"), "tailscale0", table="52")],
            None,
            id="Tailscale without",
        ),
        pytest.param(
            TAILSCALE_RULES,
            [Route(IPv4Network("192.168.0.0/16"), "throw", table="52")],
            None,
            id="throw goes on with the next rule",
        ),
        pytest.param(
            TAILSCALE_RULES,
            [Route(LAB, "lab-1", table="52")],
            None,
            id="to the lab's own device",
        ),
        pytest.param(rule('"x":1'), [ELSEWHERE], "table '7'", id="for everybody"),
        pytest.param(rule('"fwmark":"0x1"'), [ELSEWHERE], None, id="for marked packets"),
        pytest.param(
            rule('"not":null,"fwmark":"0x1"'), [ELSEWHERE], "table '7'", id="for unmarked packets"
        ),
        pytest.param(rule('"iif":"eth1"'), [ELSEWHERE], None, id="for what comes in"),
        pytest.param(rule('"iif":"lo"'), [ELSEWHERE], "table '7'", id="for what is sent here"),
        pytest.param(
            rule('"src":"192.168.0.0","srclen":16'), [ELSEWHERE], "table '7'", id="from the lab"
        ),
        pytest.param(rule('"src":"192.0.2.7"'), [ELSEWHERE], None, id="from another address"),
        pytest.param(
            rule('"dst":"192.168.56.64","dstlen":26'), [ELSEWHERE], "table '7'", id="to a part"
        ),
        pytest.param(rule('"dst":"10.0.0.0","dstlen":8'), [ELSEWHERE], None, id="to others"),
        pytest.param(rule('"ipproto":"tcp","dport":22'), [ELSEWHERE], None, id="for one port"),
        pytest.param(
            '[{"priority":9,"src":"all","dst":"192.168.0.0","dstlen":16,"action":"unreachable"}]',
            [],
            "rule 9 of 'ip rule' refuses them (unreachable)",
            id="refused",
        ),
        pytest.param("", [], None, id="a kernel without rules"),
    ],
)
def test_policy_routing_is_judged(rules: str, given: list[Route], says: str | None) -> None:
    diversion = find_diversion(LAB, parse_rules(rules), given, allow=("lab-1",))
    assert diversion is None if says is None else says in str(diversion)


def test_up_and_doctor_say_which_rule_and_what_cures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "read_interfaces", lambda: ())
    monkeypatch.setattr(network, "read_routes", lambda: parse_routes(TAILSCALE_ROUTES))
    monkeypatch.setattr(network, "read_rules", lambda: parse_rules(TAILSCALE_RULES))
    with pytest.raises(NetworkTakenError, match=r"would not stay on this machine: rule 5270"):
        check_network(LAB)
    check = doctor.check_network(LAB)
    assert check.status is CheckStatus.FAIL
    assert "ip rule add to 192.168.56.0/24 lookup main priority 5269" in (check.hint or "")


DIVERTED = """
link lab-1 192.168.56.1/24
link vpn 10.64.0.2/24
ip route add 192.168.0.0/16 dev vpn table 52
ip rule add priority 5270 lookup 52
"""


def way() -> tuple[str | None, str]:
    """What is said of the lab's network, and the device by which the kernel sends to a node."""
    rules, given = network.read_rules(), network.read_routes()
    found = find_diversion(LAB, rules, given, allow=("lab-1",))
    [route] = parse_routes(run(["ip", "-j", "route", "get", str(LAB[105])]).output)
    return found and str(found), route.device


def refusal() -> str:
    """What is said when a lab's node is to be reached."""
    try:
        return network.prove_local([LAB[105]], LAB)
    except LabError as error:
        return f"{error.message} {error.hint}"


CURE = "ip rule add to 192.168.56.0/24 lookup main priority 5269"


@pytest.mark.programs
def test_the_kernel_agrees_and_the_cure_cures() -> None:
    said, device = look(DIVERTED, way)
    assert "rule 5270" in said and device == "vpn"
    assert look(f"{DIVERTED}{CURE}", way) == [None, "lab-1"]


@pytest.mark.programs
def test_a_running_lab_whose_packets_are_diverted_is_told_how() -> None:
    said = look(DIVERTED, refusal)
    assert "Packets to 192.168.56.105 leave through 'vpn', not through 'lab-1': rule 5270" in said
    assert CURE in said
    assert look(f"{DIVERTED}{CURE}", refusal) == "lab-1"


SPLIT = """
link eth0 192.0.2.2/24
link tun0 10.8.0.6/24
ip link set tun0 mtu 1380
ip route add default via 192.0.2.1
"""


@pytest.mark.programs
@pytest.mark.parametrize(
    ("more", "mtu"),
    [
        pytest.param("", 1500, id="Ethernet"),
        pytest.param(
            "ip route add 0.0.0.0/1 via 10.8.0.1; ip route add 128.0.0.0/1 via 10.8.0.1",
            1380,
            id="two halves",
        ),
        pytest.param(
            "ip route add default dev tun0 table 9; ip rule add lookup 9", 1380, id="another table"
        ),
        pytest.param(
            "ip route replace default via 192.0.2.1 mtu 1420", 1420, id="said by the route"
        ),
    ],
)
def test_the_mtu_is_that_of_the_way_that_packets_take(more: str, mtu: int) -> None:
    assert look(f"{SPLIT}{more}", outer_mtu) == mtu


@pytest.mark.programs
def test_a_machine_without_a_way_out_has_the_usual_mtu() -> None:
    assert look("", outer_mtu) == 1500


def test_a_small_mtu_needs_nothing_from_an_engine_of_others(root: Path) -> None:
    check = check_mtu(1380)
    assert check.status is CheckStatus.OK and "1380" in check.found
    # Because of this: whatever the engine's own bridge can carry, bakes do not use it.
    source = (root / "packer" / "sources.pkr.hcl").read_text(encoding="utf-8")
    assert '"--network", "host"' in source


def test_what_nodes_listen_on_works_without_ipv6(root: Path) -> None:
    """A kernel without IPv6 refuses the socket, and nginx then does not start at all."""
    sites = list((root / "tests" / "golden").rglob("nginx/**/*.conf"))
    assert sites
    for site in sites:
        assert "listen [::" not in site.read_text(encoding="utf-8"), site


def conflict() -> str:
    return str(network.find_conflict(LAB))


@pytest.mark.programs
def test_a_machine_without_ipv6_is_read_like_any_other() -> None:
    setup = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1\nlink eth0 192.168.56.7/24"
    assert look(setup, conflict) == "interface 'eth0' (address 192.168.56.7/24)"
