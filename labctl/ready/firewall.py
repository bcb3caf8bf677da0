"""Which rule of which chain drops a datagram, as far as the rules alone tell.

Pure.  Rules are those of `nft -j list ruleset` and of `iptables-save` (what iptables made does not
show whole in nft).  A rule with a test that is not understood here may match or not; if it might
have let the datagram pass, no later rule is blamed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import assert_never

DEPTH = 16  # of jumps; rules may lead in circles only where nobody could have loaded them


class Action(StrEnum):
    """What a rule does with what it matches."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    RETURN = "return"
    NOTHING = "nothing"
    """It counts, marks or logs."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram at a hook ('input', 'output') of one machine."""

    source: str
    source_port: int
    target: str
    target_port: int
    answer: bool = False
    """It belongs to what the other side began, so its state is 'established'."""

    def value(self, name: str) -> str:
        """What a rule may ask for."""
        return {
            "proto": "udp",
            "saddr": self.source,
            "sport": str(self.source_port),
            "daddr": self.target,
            "dport": str(self.target_port),
            "state": "established" if self.answer else "new",
        }[name]


@dataclass(frozen=True, slots=True)
class Test:
    """One condition of a rule: `name` is one of Datagram's, or '' for what is not understood."""

    name: str
    values: tuple[str, ...] = ()
    """Words, addresses with or without a length, or ranges 'a-b'."""
    negated: bool = False

    def matches(self, datagram: Datagram) -> bool | None:
        """None if it cannot be decided."""
        if not self.name:
            return None
        seen = datagram.value(self.name)
        try:
            found = any(_covers(self.name, value, seen) for value in self.values)
        except ValueError:
            return None
        return found is not self.negated


def _covers(name: str, value: str, seen: str) -> bool:
    if name in ("saddr", "daddr"):
        network = ip_network(value, strict=False)
        return network.version == ip_address(seen).version and ip_address(seen) in network
    if name in ("sport", "dport"):
        first, _, last = value.partition("-")
        return int(first) <= int(seen) <= int(last or first)
    return value == seen


@dataclass(frozen=True, slots=True)
class Rule:
    """Its tests, what it does, and how a person would write it."""

    tests: tuple[Test, ...]
    action: Action
    text: str
    chain: str = ""
    """Where it jumps to."""

    def matches(self, datagram: Datagram) -> bool | None:
        found = [test.matches(datagram) for test in self.tests]
        return False if False in found else (None if None in found else True)


@dataclass(slots=True)
class Chain:
    """A chain; `hook` is empty for one that is only jumped to."""

    table: str
    name: str
    hook: str = ""
    policy: Action = Action.ACCEPT
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """What drops a datagram."""

    table: str
    chain: str
    rule: str

    def __str__(self) -> str:
        return f"table '{self.table}', chain '{self.chain}': {self.rule}"


class _Unsure(Exception):
    """A rule that is not understood might have let the datagram pass."""


def find_block(chains: Iterable[Chain], hook: str, datagram: Datagram) -> Block | None:
    """The first rule that drops the datagram at this hook; None if no rule is known to."""
    known = {(chain.table, chain.name): chain for chain in chains}
    for chain in known.values():
        if chain.hook != hook:
            continue
        try:
            found = _walk(known, chain, datagram, depth=0)
        except _Unsure:
            continue
        if isinstance(found, Block):
            return found
        if found is None and chain.policy is Action.DROP:
            return Block(chain.table, chain.name, "no rule accepts it, and the policy is 'drop'")
    return None


def _walk(
    known: Mapping[tuple[str, str], Chain], chain: Chain, datagram: Datagram, *, depth: int
) -> Block | Action | None:
    """A Block, ACCEPT, or None if the chain ends without a decision."""
    unsure = False
    for rule in chain.rules:
        matches = rule.matches(datagram)
        if matches is False:
            continue
        if matches is None:
            unsure = unsure or rule.action not in (Action.NOTHING, Action.DROP)
            continue
        match rule.action:
            case Action.ACCEPT:
                return Action.ACCEPT
            case Action.DROP:
                if unsure:
                    raise _Unsure
                return Block(chain.table, chain.name, f"'{rule.text}'")
            case Action.RETURN:
                return None
            case Action.JUMP:
                target = known.get((chain.table, rule.chain))
                if target is None or depth > DEPTH:
                    unsure = True
                    continue
                found = _walk(known, target, datagram, depth=depth + 1)
                if found is not None:
                    return found
            case Action.NOTHING:
                continue
            case _:
                assert_never(rule.action)
    if unsure:
        raise _Unsure
    return None


def texts(values: Sequence[str]) -> str:
    """A set of values as nft writes it."""
    return values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"
