"""From what `nft -j list ruleset` and `iptables-save` print to chains with rules."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from labctl.ready.firewall import Action, Chain, Rule, Test, texts

_NFT_VERDICTS = {
    "accept": Action.ACCEPT,
    "drop": Action.DROP,
    "reject": Action.DROP,
    "return": Action.RETURN,
}
_META = {"l4proto": "proto"}
_PAYLOAD = {
    ("udp", "dport"): "dport",
    ("udp", "sport"): "sport",
    ("th", "dport"): "dport",
    ("th", "sport"): "sport",
    ("ip", "saddr"): "saddr",
    ("ip", "daddr"): "daddr",
    ("ip6", "saddr"): "saddr",
    ("ip6", "daddr"): "daddr",
    ("ip", "protocol"): "proto",
}
_HARMLESS = ("counter", "log", "mangle", "limit", "meta")
_OTHER_PROTOCOLS = ("tcp", "icmp", "icmpv6", "sctp", "dccp", "esp", "ah")


def parse_nft(text: str) -> list[Chain]:
    """The filter chains of a ruleset; none if the text is not nft's JSON."""
    try:
        items = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return []
    chains: dict[tuple[str, str], Chain] = {}
    for item in items:
        if (about := item.get("chain")) is not None:
            table = f"{about['family']} {about['table']}"
            hook = about.get("hook", "") if about.get("type") != "nat" else ""
            policy = _NFT_VERDICTS.get(about.get("policy", "accept"), Action.ACCEPT)
            chains[table, about["name"]] = Chain(table, about["name"], hook, policy)
        elif (about := item.get("rule")) is not None:
            chain = chains.get((f"{about['family']} {about['table']}", about["chain"]))
            if chain is not None:
                chain.rules.append(_nft_rule(about.get("expr", [])))
    return list(chains.values())


def _nft_rule(expressions: list[dict[str, Any]]) -> Rule:
    tests: list[Test] = []
    words: list[str] = []
    action, chain = Action.NOTHING, ""
    for one in expressions:
        [(kind, value)] = one.items()
        if kind == "match":
            test, said = _nft_match(value)
            tests.append(test)
            words.append(said)
        elif kind in _NFT_VERDICTS:
            action = _NFT_VERDICTS[kind]
            words.append(kind)
        elif kind in ("jump", "goto"):
            action, chain = Action.JUMP, value["target"]
            words.append(f"{kind} {chain}")
        elif kind not in _HARMLESS or kind == "limit":
            tests.append(Test(""))
            words.append(kind)
    return Rule(tuple(tests), action, " ".join(words), chain)


def _nft_match(match: dict[str, Any]) -> tuple[Test, str]:
    left, operator = match["left"], match["op"]
    name, said = _nft_left(left)
    values = _nft_values(match["right"])
    sign = "" if operator in ("==", "in") else f"{operator} "
    shown = f"{said} {sign}{texts(values or ('…',))}"
    if name == "never":
        return Test("proto", ("none",)), shown
    if name == "iface":
        # Nobody comes from elsewhere by the loopback; of other interfaces nothing is known here.
        only_loopback = values == ("lo",) and not sign
        return (Test("proto", ("none",)) if only_loopback else Test("")), shown
    if not name or not values or operator not in ("==", "!=", "in"):
        return Test(""), shown
    return Test(name, values, negated=operator == "!="), shown


def _nft_left(left: Any) -> tuple[str, str]:
    """The name of what is tested ('' if it is not understood), and how nft writes it."""
    if not isinstance(left, dict) or len(left) != 1:
        return "", "…"
    [(kind, about)] = left.items()
    if kind == "payload" and isinstance(about, dict) and "protocol" in about:
        protocol, what = about["protocol"], about["field"]
        said = f"{protocol} {what}"
        if protocol in _OTHER_PROTOCOLS:
            return "never", said
        return _PAYLOAD.get((protocol, what), ""), said
    if kind == "meta":
        key = about["key"]
        if key in ("iif", "iifname", "oif", "oifname"):
            return "iface", key
        return _META.get(key, ""), f"meta {key}"
    if kind == "ct":
        return ("state" if about.get("key") == "state" else ""), f"ct {about.get('key')}"
    return "", kind


def _nft_values(right: Any) -> tuple[str, ...]:
    """Plain values; none where there is something else among them (a named set, a map)."""
    items = right.get("set", [right]) if isinstance(right, dict) else right
    found = []
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict) and "range" in item:
            found.append(f"{item['range'][0]}-{item['range'][1]}")
        elif isinstance(item, dict) and "prefix" in item:
            found.append(f"{item['prefix']['addr']}/{item['prefix']['len']}")
        elif isinstance(item, str | int) and not str(item).startswith("@"):
            found.append(str(item))
        else:
            return ()
    return tuple(found)


_IPTABLES = {"ACCEPT": Action.ACCEPT, "DROP": Action.DROP, "REJECT": Action.DROP,
             "RETURN": Action.RETURN, "LOG": Action.NOTHING}  # fmt: skip
_HOOKS = {"INPUT": "input", "OUTPUT": "output"}
_OPTIONS = {"-p": "proto", "-s": "saddr", "-d": "daddr", "--dport": "dport", "--dports": "dport",
            "--sport": "sport", "--sports": "sport", "--ctstate": "state",
            "--state": "state"}  # fmt: skip


def parse_iptables(text: str) -> list[Chain]:
    """The chains of the tables 'filter', 'raw' and 'mangle'."""
    chains: dict[tuple[str, str], Chain] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table == "nat" or not line or line.startswith(("#", "COMMIT")):
            continue
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            action = _IPTABLES.get(policy, Action.ACCEPT)
            chains[table, name] = Chain(f"iptables {table}", name, _HOOKS.get(name, ""), action)
        elif line.startswith("-A "):
            name = line.split()[1]
            chains[table, name].rules.append(_iptables_rule(line))
    return list(chains.values())


def _iptables_rule(line: str) -> Rule:
    words = shlex.split(line)[2:]
    tests, action, chain = [], Action.NOTHING, ""
    for option, negated, value in _options(words):
        if option in ("-j", "-g"):
            action = _IPTABLES.get(value, Action.JUMP)
            chain = value if action is Action.JUMP else ""
        elif option in ("-i", "-o"):
            loopback = value == "lo" and not negated
            tests.append(Test("proto", ("none",)) if loopback else Test(""))
        elif option in _OPTIONS:
            values = tuple(part.replace(":", "-").lower() for part in value.split(","))
            tests.append(Test(_OPTIONS[option], values, negated))
        elif option not in ("-m", "--reject-with", "--comment", "--log-prefix", "--log-level"):
            tests.append(Test(""))
    return Rule(tuple(tests), action, line, chain)


def _options(words: list[str]) -> Iterator[tuple[str, bool, str]]:
    """Option, whether a '!' precedes it, and its values."""
    index, negated = 0, False
    while index < len(words):
        option = words[index]
        index += 1
        if option == "!":
            negated = True
            continue
        values = []
        while index < len(words) and not words[index].startswith("-") and words[index] != "!":
            values.append(words[index])
            index += 1
        yield option, negated, " ".join(values)
        negated = False
