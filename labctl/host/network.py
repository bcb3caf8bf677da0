"""The lab's network on this machine: whether it is free, is ours, and keeps its packets.

Interfaces and routes are read with iproute2; parsers and decisions are pure functions.  Rules that
send packets elsewhere are in `labctl.host.policy`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.process import run
from labctl.core.waiting import Deadline, wait_until
from labctl.host.policy import Diversion, Rule, find_diversion, parse_rules
from labctl.host.routes import IP_HINT, MAIN, Route, entries, parse_routes, pieces_of_default
from labctl.topology.model import HOST_OFFSET
from labctl.topology.workdir import Workdir

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""

OTHER_NETWORK = "Disconnect it, or choose another network for the lab with '--network'."


class NetworkTakenError(LabError):
    """A network that a lab wants is in use, or may not be used here; another one may be free."""


class NetworkDivertedError(NetworkTakenError):
    """A rule of policy routing takes packets away from a network."""

    def __init__(self, network: IPv4Network, diversion: Diversion) -> None:
        super().__init__(
            f"Packets to {network} would not stay on this machine: {diversion}.",
            hint=diversion.fix.hint,
            finding=Finding.NETWORK_DIVERTED,
        )
        self.fix = diversion.fix


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of this machine and its IPv4 addresses."""

    name: str
    addresses: tuple[IPv4Interface, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What already uses a network that the lab needs."""

    device: str
    what: str

    def __str__(self) -> str:
        return f"interface '{self.device}' ({self.what})"


def parse_interfaces(text: str) -> tuple[Interface, ...]:
    """Interfaces from `ip -j -4 addr show`."""
    return tuple(
        Interface(
            entry["ifname"],
            tuple(
                IPv4Interface(f"{item['local']}/{item['prefixlen']}")
                for item in entry.get("addr_info", ())
                if item.get("family") == "inet"
            ),
        )
        for entry in entries(text)
    )


def read_interfaces() -> tuple[Interface, ...]:
    return parse_interfaces(run(["ip", "-j", "-4", "addr", "show"], hint=IP_HINT).output)


def read_routes() -> tuple[Route, ...]:
    """The routes of all tables but the kernel's own for local addresses."""
    words = ["ip", "-j", "-4", "route", "show", "table", "all"]
    return tuple(
        route for route in parse_routes(run(words, hint=IP_HINT).output) if route.table != "local"
    )


def read_rules() -> tuple[Rule, ...]:
    """The rules of policy routing; none where the kernel does not have it."""
    return parse_rules(run(["ip", "-j", "-4", "rule", "show"], check=False, hint=IP_HINT).output)


def bridge_name(workdir: Workdir) -> str:
    """The name of a lab's bridge: stable for a lab, at most 15 characters (the kernel's limit)."""
    return f"lab-{sha256(str(workdir.path.resolve()).encode()).hexdigest()[:8]}"


def find_overlap(
    network: IPv4Network,
    interfaces: Iterable[Interface],
    routes: Iterable[Route],
    *,
    allow: Collection[str] = (),
) -> Conflict | None:
    """The first interface or route that overlaps `network`; `allow` names the lab's own devices.

    A default route is not a conflict, because every other route is more specific; that holds for
    one in several pieces, too, as VPN clients set it (0.0.0.0/1 and 128.0.0.0/1).  Only routes of
    the main table count; `labctl.host.policy` judges the others.
    """
    main = [route for route in routes if route.table == MAIN]
    pieces = pieces_of_default(main)
    for interface in interfaces:
        for address in interface.addresses:
            if interface.name not in allow and address.network.overlaps(network):
                return Conflict(interface.name, f"address {address}")
    for route in main:
        if route.device in allow:
            continue
        if route in pieces and route.destination.prefixlen < network.prefixlen:
            continue
        if route.destination.overlaps(network):
            via = f" via {route.gateway}" if route.gateway else ""
            return Conflict(route.device, f"route to {route.destination}{via}")
    return None


def find_conflict(network: IPv4Network, *, allow: Collection[str] = ()) -> Conflict | None:
    """What on this machine uses a part of `network`; None if it is free or the lab's own."""
    return find_overlap(network, read_interfaces(), read_routes(), allow=allow)


def network_problem(network: IPv4Network, *, offsets: Collection[int] = ()) -> str | None:
    """Why a network cannot be used for a lab, as a sentence; None if it can.

    `offsets` are the offsets of the lab's nodes in the network.
    """
    if not any(network.subnet_of(block) for block in PRIVATE):
        return f"Network {network} is not private (RFC 1918)."
    need = max((HOST_OFFSET, *offsets))
    # The last address is the broadcast address.
    if need > network.num_addresses - 2:
        return (
            f"Network {network} has {max(0, network.num_addresses - 2)} addresses for hosts, "
            f"but the lab's nodes reach up to number {need}."
        )
    return None


def check_network(
    network: IPv4Network, *, offsets: Collection[int] = (), allow: Collection[str] = ()
) -> None:
    """Refuse a network that is not private, too small, or in use on this machine (LabError)."""
    if problem := network_problem(network, offsets=offsets):
        hint = "The default is 192.168.56.0/24."
        raise LabError(problem, hint=hint, finding=Finding.NETWORK_UNUSABLE)
    interfaces, routes = read_interfaces(), read_routes()
    if conflict := find_overlap(network, interfaces, routes, allow=allow):
        raise NetworkTakenError(
            f"Network {network} is already taken on this machine by {conflict}.",
            hint=OTHER_NETWORK,
            finding=Finding.NETWORK_TAKEN,
        )
    if diversion := find_diversion(network, read_rules(), routes, allow=allow):
        raise NetworkDivertedError(network, diversion)


def prove_local(addresses: Collection[IPv4Address], network: IPv4Network) -> str:
    """Prove that packets to `addresses` stay on a network of this machine; returns its interface.

    The interface must own the first address of `network` with its prefix, and the kernel must send
    to each address through that interface, without a gateway.  Errors: LabError otherwise.
    """
    own = IPv4Interface((network[HOST_OFFSET], network.prefixlen))
    owners = [entry.name for entry in read_interfaces() if own in entry.addresses]
    if len(owners) != 1:
        raise LabError(
            f"{'No' if not owners else 'More than one'} interface of this machine owns {own}, so "
            f"nothing is sent to the lab's network {network}.",
            hint="Run 'labctl up' to make the lab's network.",
        )
    for address in addresses:
        route = parse_routes(run(["ip", "-j", "route", "get", str(address)]).output)[0]
        if problem := stray(address, route, network=network, device=owners[0]):
            diversion = find_diversion(network, read_rules(), read_routes(), allow=owners)
            raise LabError(
                f"{problem[:-1]}: {diversion}." if diversion else problem,
                hint=diversion.fix.hint
                if diversion
                else "Check 'ip route' and 'ip rule' for the routes of a VPN.",
            )
    return owners[0]


def wait_local(
    addresses: Collection[IPv4Address], network: IPv4Network, *, deadline: Deadline
) -> None:
    """Wait until `prove_local` succeeds, for a network that comes up with its first machine.

    Nothing is sent before.  Errors: those of `prove_local` when the deadline has passed.
    """
    last: LabError | None = None

    def proven() -> bool:
        nonlocal last
        try:
            prove_local(addresses, network)
        except LabError as error:
            last = error
            return False
        return True

    if not wait_until(proven, deadline=deadline, interval=0.2) and last is not None:
        raise last


def stray(address: IPv4Address, route: Route, *, network: IPv4Network, device: str) -> str | None:
    """Why a packet to `address` would not stay on the lab's network; None if it does."""
    if address not in network:
        return f"Address {address} is not in the lab's network {network}."
    if route.device != device or route.gateway is not None:
        via = f" via {route.gateway}" if route.gateway else ""
        return f"Packets to {address} leave through '{route.device}'{via}, not through '{device}'."
    return None
