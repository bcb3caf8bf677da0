"""This machine's routes, as iproute2 shows them, and the default route in all its forms."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from labctl.core.errors import LabError
from labctl.core.process import run

MAIN = "main"
IP_HINT = "Install the package 'iproute2'."
HALF = 2**31
"""Half of all IPv4 addresses."""

USUAL_MTU = 1500
OUTSIDE = IPv4Address("198.51.100.1")
"""An address that stands for all that are not here (RFC 5737); nothing is sent to it."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route; `gateway` is None for a network on the link.

    `device` is the route's type where it has no device (unreachable, blackhole, throw).
    """

    destination: IPv4Network
    device: str
    gateway: IPv4Address | None = None
    table: str = MAIN


def parse_routes(text: str) -> tuple[Route, ...]:
    """Routes from `ip -j -4 route show table all` or `ip -j route get ADDRESS`."""
    return tuple(
        Route(
            IPv4Network("0.0.0.0/0" if entry["dst"] == "default" else entry["dst"], strict=False),
            entry.get("dev") or entry.get("type", "none"),
            IPv4Address(entry["gateway"]) if "gateway" in entry else None,
            str(entry.get("table", MAIN)),
        )
        for entry in entries(text)
    )


def entries(text: str) -> list[dict[str, Any]]:
    """The entries that `ip -j` printed."""
    # It prints an empty object for what it filtered out, and no text for an empty list.
    return [entry for entry in json.loads(text or "[]") if entry]


def pieces_of_default(routes: Iterable[Route]) -> Collection[Route]:
    """The routes that are a default route: 0.0.0.0/0, or all pieces of one in several.

    A VPN client leaves the default route alone and covers it by narrower ones: two halves, or all
    but the network that it excludes.  So a device whose widest routes hold at least half of all
    addresses has the default route in pieces.  A route inside of another of its device says more
    than "everything", so it is no piece.
    """
    by_device: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        by_device[route.device].append(route)
    found: set[Route] = set()
    for own in by_device.values():
        widest = [route for route in own if not any(_inside(route, other) for other in own)]
        if (
            sum({route.destination: route.destination.num_addresses for route in widest}.values())
            >= HALF
        ):
            found.update(widest)
    return found


def _inside(route: Route, other: Route) -> bool:
    return route.destination != other.destination and route.destination.subnet_of(other.destination)


def outer_mtu() -> int:
    """The MTU of the way out of this machine, whatever rules and routes lead there.

    1500 if there is no way out.
    """
    # Not from /sys, which may show another network namespace's devices.
    try:
        [way, *_] = entries(run(["ip", "-j", "route", "get", str(OUTSIDE)], hint=IP_HINT).output)
        [link, *_] = entries(run(["ip", "-j", "link", "show", "dev", way["dev"]]).output)
        metrics = [item["mtu"] for item in way.get("metrics", ()) if "mtu" in item]
        return min(map(int, [link["mtu"], *metrics]))
    except (LabError, ValueError, KeyError):
        return USUAL_MTU
