"""The lab's network on this machine: is it free, is it ours, does a packet stay on it.

Interfaces and routes are read with iproute2; the parsers and judgements are pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from labctl.errors import LabError
from labctl.model import HOST_OFFSET
from labctl.process import run
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""

IP_HINT = "Install the package 'iproute2'."


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of this machine and its IPv4 addresses."""

    name: str
    addresses: tuple[IPv4Interface, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A route of this machine's main table; `gateway` is None for a network on the link."""

    destination: IPv4Network
    device: str
    gateway: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Who has a network that the lab wants."""

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
        for entry in _entries(text)
    )


def parse_routes(text: str) -> tuple[Route, ...]:
    """Routes from `ip -j -4 route show` or `ip -j route get ADDRESS`.

    Routes without a device (unreachable, blackhole) carry the type in place of it.
    """
    return tuple(
        Route(
            IPv4Network("0.0.0.0/0" if entry["dst"] == "default" else entry["dst"], strict=False),
            entry.get("dev") or entry.get("type", "none"),
            IPv4Address(entry["gateway"]) if "gateway" in entry else None,
        )
        for entry in _entries(text)
    )


def read_interfaces() -> tuple[Interface, ...]:
    return parse_interfaces(run(["ip", "-j", "-4", "addr", "show"], hint=IP_HINT).output)


def read_routes() -> tuple[Route, ...]:
    return parse_routes(run(["ip", "-j", "-4", "route", "show"], hint=IP_HINT).output)


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

    The default route is no conflict: everything else is more exact.
    """
    for interface in interfaces:
        for address in interface.addresses:
            if interface.name not in allow and address.network.overlaps(network):
                return Conflict(interface.name, f"address {address}")
    for route in routes:
        if route.destination.prefixlen == 0 or route.device in allow:
            continue
        if route.destination.overlaps(network):
            via = f" via {route.gateway}" if route.gateway else ""
            return Conflict(route.device, f"route to {route.destination}{via}")
    return None


def find_conflict(network: IPv4Network, *, allow: Collection[str] = ()) -> Conflict | None:
    """Who on this machine has a part of `network`; None when it is free or the lab's own."""
    return find_overlap(network, read_interfaces(), read_routes(), allow=allow)


def network_problem(network: IPv4Network, *, offsets: Collection[int] = ()) -> str | None:
    """Why a network cannot be a lab's, as a sentence; None when it can.

    `offsets` are the places in the network that the lab's nodes take.
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
        raise LabError(problem, hint="The default is 192.168.56.0/24.")
    if conflict := find_conflict(network, allow=allow):
        raise LabError(
            f"Network {network} is already taken on this machine by {conflict}.",
            hint="Disconnect it, or choose another network for the lab with '--network'.",
        )


def prove_local(addresses: Collection[IPv4Address], network: IPv4Network) -> str:
    """Prove that packets to `addresses` stay on a network of this machine; the interface's name.

    The interface must own number 1 of `network` with its prefix, and the kernel must send to
    each address out of that interface without a gateway.  Errors: LabError otherwise.
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
            raise LabError(problem, hint="Look at 'ip route' and 'ip rule' for a VPN's routes.")
    return owners[0]


def wait_local(
    addresses: Collection[IPv4Address], network: IPv4Network, *, deadline: Deadline
) -> None:
    """Wait for what `prove_local` proves, where the network comes up with its first machine.

    Errors: those of `prove_local` when the deadline has passed; nothing is sent before.
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
    """Why a packet to `address` would not stay on the lab's network; None when it does."""
    if address not in network:
        return f"Address {address} is not in the lab's network {network}."
    if route.device != device or route.gateway is not None:
        via = f" via {route.gateway}" if route.gateway else ""
        return f"Packets to {address} leave by '{route.device}'{via}, not by '{device}'."
    return None


def _entries(text: str) -> list[dict[str, Any]]:
    # `ip -j` prints an empty object for what it filtered out, and nothing for nothing.
    return [entry for entry in json.loads(text or "[]") if entry]
