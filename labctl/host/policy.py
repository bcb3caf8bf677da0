"""Policy routing: rules that send packets for the lab's network elsewhere.

A route in another table, with a rule before that of the main table, wins over the interface that
owns the lab's network.  VPN clients (Tailscale, WireGuard) and machines with several links have
such rules.  Pure: rules and routes are given.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from labctl.core.checks import Fix
from labctl.host.routes import MAIN, Route, entries
from labctl.topology.model import HOST_OFFSET

REFUSING = ("unreachable", "blackhole", "prohibit")

# What a rule may ask for that no packet to a lab has, or that only some have: such a rule is
# not counted.
_SPECIAL = ("fwmark", "oif", "tos", "ipproto", "sport", "dport", "l3mdev", "tun_id", "dscp")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of policy routing.

    `table` is empty if the rule does not look up a table; `action` is then what it does.
    `applies` says whether it is for packets that this machine sends without a mark, apart from
    `source` and `target`; `inverted` turns all three around.  `suppressed` is the length of the
    longest prefix whose routes do not count, -1 if all do.
    """

    priority: int
    table: str = ""
    action: str = ""
    source: IPv4Network | None = None
    target: IPv4Network | None = None
    applies: bool = True
    inverted: bool = False
    suppressed: int = -1

    def concerns(self, network: IPv4Network) -> bool:
        """Whether the rule is for packets from this machine to a network that it owns."""
        found = (
            self.applies
            and (self.source is None or network[HOST_OFFSET] in self.source)
            and (self.target is None or self.target.overlaps(network))
        )
        return found is not self.inverted


@dataclass(frozen=True, slots=True)
class Diversion:
    """A rule that takes packets away from a network, and the route that it finds."""

    network: IPv4Network
    rule: Rule
    route: Route | None

    def __str__(self) -> str:
        if self.route is None:
            return f"rule {self.rule.priority} of 'ip rule' refuses them ({self.rule.action})"
        via = f" via {self.route.gateway}" if self.route.gateway else ""
        return (
            f"rule {self.rule.priority} of 'ip rule' sends them to table '{self.route.table}',"
            f" whose route to {self.route.destination} is through '{self.route.device}'{via}"
        )

    @property
    def fix(self) -> Fix:
        """An earlier rule for the lab's network."""
        earlier = max(1, self.rule.priority - 1)
        words = f"ip rule add to {self.network} lookup main priority {earlier}"
        changes = f"rule {earlier} keeps packets to {self.network} here until this machine restarts"
        return Fix(tuple(words.split()), changes)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Rules from `ip -j -4 rule show`, in the order in which the kernel asks them."""
    return tuple(sorted(map(_rule, entries(text)), key=lambda rule: rule.priority))


def _rule(entry: dict[str, Any]) -> Rule:
    special = any(name in entry for name in _SPECIAL)
    users = range(entry.get("uid_start", 0), entry.get("uid_end", 2**32) + 1)
    return Rule(
        entry["priority"],
        table=str(entry.get("table", "")),
        action=str(entry.get("action", "")),
        source=_selector(entry, "src"),
        target=_selector(entry, "dst"),
        applies=not special and entry.get("iif", "lo") == "lo" and os.geteuid() in users,
        inverted="not" in entry,
        suppressed=entry.get("suppress_prefixlen", -1),
    )


def _selector(entry: dict[str, Any], name: str) -> IPv4Network | None:
    address = entry.get(name, "all")
    if address == "all":
        return None
    return IPv4Network(f"{address}/{entry.get(f'{name}len', 32)}", strict=False)


def find_diversion(
    network: IPv4Network,
    rules: Iterable[Rule],
    routes: Iterable[Route],
    *,
    allow: Collection[str] = (),
) -> Diversion | None:
    """The first rule that takes packets away from a network that this machine owns; None if the
    route in the main table counts.

    `routes` are those of all tables; `allow` names the lab's own devices.
    """
    tables = list(routes)
    for rule in rules:
        if not rule.concerns(network):
            continue
        if rule.table == MAIN:
            if rule.suppressed < network.prefixlen:
                return None
        elif rule.action in REFUSING:
            return Diversion(network, rule, None)
        elif route := _look_up(network, rule, tables):
            return None if route.device in allow else Diversion(network, rule, route)
    return None


def _look_up(network: IPv4Network, rule: Rule, routes: Iterable[Route]) -> Route | None:
    """The narrowest route of the rule's table that takes a part of the network."""
    found = [
        route
        for route in routes
        if route.table == rule.table
        and route.destination.prefixlen > rule.suppressed
        and route.destination.overlaps(network)
    ]
    narrowest = max(found, key=lambda route: route.destination.prefixlen, default=None)
    # "throw" goes on with the next rule.
    return None if narrowest is None or narrowest.device == "throw" else narrowest
