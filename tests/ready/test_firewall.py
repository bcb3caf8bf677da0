"""Which rule of which chain drops a datagram."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labctl.ready.explain import blocks, listens
from labctl.ready.firewall import Datagram, find_block
from labctl.ready.rulesets import parse_iptables, parse_nft

TO_BRIDGE = Datagram("192.168.56.1", 50000, "192.168.56.106", 10000)
BACK = Datagram("192.168.56.106", 10000, "192.168.56.1", 50000, answer=True)


def match(protocol: str, field: str, right: Any, op: str = "==") -> dict[str, Any]:
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": op, "left": left, "right": right}}


STATE = {"match": {"op": "in", "left": {"ct": {"key": "state"}},
                   "right": ["established", "related"]}}  # fmt: skip
LOOPBACK = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}
MEDIA = match("udp", "dport", 10000)
ACCEPT, DROP, REJECT = {"accept": None}, {"drop": None}, {"reject": {"type": "icmpx"}}
RANDOM = {"match": {"op": "<", "left": {"numgen": {"mode": "random", "mod": 100}}, "right": 20}}
NETWORK = {"prefix": {"addr": "192.168.56.0", "len": 24}}
JUMP = {"jump": {"target": "more"}}


def nft(*rules: list[dict[str, Any]], policy: str = "drop", more: Any = ()) -> str:
    """A ruleset like a node's, with these rules in its chain for what comes in."""
    chain = {"family": "inet", "table": "labctl", "name": "input", "type": "filter",
             "hook": "input", "prio": 0, "policy": policy}  # fmt: skip
    about = {"family": "inet", "table": "labctl"}
    items: list[dict[str, Any]] = [{"metainfo": {}}, {"chain": chain}]
    items.append({"chain": {**about, "name": "more"}})
    items += [{"rule": {**about, "chain": "input", "expr": rule}} for rule in rules]
    items += [{"rule": {**about, "chain": "more", "expr": rule}} for rule in more]
    return json.dumps({"nftables": items})


OPEN = [STATE, ACCEPT], [LOOPBACK, ACCEPT], [match("tcp", "dport", 22), ACCEPT], [MEDIA, ACCEPT]


@pytest.mark.parametrize(
    ("ruleset", "rule"),
    [
        pytest.param(nft(*OPEN), None, id="as rendered"),
        pytest.param(nft([MEDIA, DROP], *OPEN), "'udp dport 10000 drop'", id="inserted"),
        pytest.param(nft(*OPEN, [MEDIA, DROP]), None, id="after it was accepted"),
        pytest.param(
            nft(*OPEN[:3]), "no rule accepts it, and the policy is 'drop'", id="port closed"
        ),
        pytest.param(nft(*OPEN[:3], policy="accept"), None, id="policy accept"),
        pytest.param(
            nft([match("udp", "dport", {"range": [9000, 10999]}), REJECT], *OPEN),
            "'udp dport 9000-10999 reject'",
            id="range",
        ),
        pytest.param(
            nft([match("udp", "dport", {"set": [53, 10000]}), DROP], *OPEN),
            "'udp dport { 53, 10000 } drop'",
            id="set",
        ),
        pytest.param(
            nft([match("ip", "saddr", NETWORK), DROP], *OPEN),
            "'ip saddr 192.168.56.0/24 drop'",
            id="network",
        ),
        pytest.param(
            nft([match("ip", "saddr", "192.168.56.1", "!="), DROP], *OPEN), None, id="others only"
        ),
        pytest.param(
            nft([JUMP], *OPEN, more=[[MEDIA, DROP]]), "'udp dport 10000 drop'", id="jump"
        ),
        pytest.param(nft([JUMP], *OPEN, more=[[{"return": None}], [DROP]]), None, id="return"),
        pytest.param(nft([MEDIA, RANDOM, DROP], *OPEN), None, id="sometimes only"),
        pytest.param(
            nft([match("udp", "dport", "@open"), ACCEPT], policy="drop"), None, id="a named set"
        ),
        pytest.param(
            nft([MEDIA, {"counter": {"packets": 1, "bytes": 2}}, DROP]), "'udp dport 10000 drop'",
            id="counted",
        ),
        pytest.param("Error: not permitted", None, id="no JSON"),
    ],
)  # fmt: skip
def test_nft(ruleset: str, rule: str | None) -> None:
    found = find_block(parse_nft(ruleset), "input", TO_BRIDGE)
    assert (found.rule if found else None) == rule
    if found is not None:
        assert found.table == "inet labctl"


def iptables(*rules: str, policy: str = "ACCEPT") -> str:
    head = f"*filter\n:INPUT {policy} [0:0]\n:OUTPUT {policy} [0:0]\n:MINE - [0:0]\n"
    return head + "".join(f"{rule}\n" for rule in rules) + "COMMIT\n"


@pytest.mark.parametrize(
    ("rules", "blamed"),
    [
        pytest.param(["-A OUTPUT -p udp -m udp --dport 10000 -j DROP"], 0, id="port"),
        pytest.param(["-A OUTPUT -p tcp -m tcp --dport 10000 -j DROP"], None, id="tcp"),
        pytest.param(["-A OUTPUT -d 192.168.56.0/24 -j REJECT --reject-with icmp-port-unreachable"],
                     0, id="network"),
        pytest.param(["-A OUTPUT ! -d 192.168.56.0/24 -j DROP"], None, id="elsewhere"),
        pytest.param(["-A OUTPUT -j MINE",
                      "-A MINE -p udp -m multiport --dports 53,9000:11000 -j DROP"],
                     1, id="chain"),
        pytest.param(["-A OUTPUT -m owner --uid-owner 0 -j ACCEPT", "-A OUTPUT -p udp -j DROP"],
                     None, id="not understood"),
        pytest.param(["-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -p udp -j DROP"], 1, id="loopback"),
        pytest.param(["-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                      "-A OUTPUT -p udp -j DROP"], 1, id="state"),
    ],
)  # fmt: skip
def test_iptables(rules: list[str], blamed: int | None) -> None:
    found = find_block(parse_iptables(iptables(*rules)), "output", TO_BRIDGE)
    assert (found.rule if found else None) == (None if blamed is None else f"'{rules[blamed]}'")


def test_sentences_tell_the_node_from_this_machine() -> None:
    node = parse_nft(nft([MEDIA, DROP], *OPEN))
    assert list(blocks(node, "node 'jvb1'", inward=TO_BRIDGE, outward=BACK)) == [
        "The firewall of node 'jvb1' drops UDP to 192.168.56.106:10000: "
        "table 'inet labctl', chain 'input': 'udp dport 10000 drop'."
    ]
    rule = "-A INPUT -s 192.168.56.106/32 -p udp -m udp --sport 10000 -j DROP"
    host = parse_iptables(iptables(rule))
    assert list(blocks(host, "this machine", inward=BACK, outward=TO_BRIDGE)) == [
        "The firewall of this machine drops UDP from 192.168.56.106:10000: "
        f"table 'iptables filter', chain 'INPUT': '{rule}'."
    ]


@pytest.mark.parametrize(("port", "seen"), [(10000, True), (1000, False)])
def test_listeners(port: int, seen: bool) -> None:
    assert listens("UNCONN 0 0 192.168.56.106:10000 0.0.0.0:*\n", port) is seen
