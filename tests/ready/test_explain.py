"""What is said of an address that does not answer, by what the node and this machine say."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.crowd.media import MediaProblem, MediaStage
from labctl.ready import explain
from labctl.ready.firewall import Chain
from labctl.ready.rulesets import parse_iptables
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import FakeNodes
from tests.ready.test_firewall import DROP, MEDIA, OPEN, nft

ASKED = "section nft"
BOUND = "UNCONN 0 0 192.168.56.106:10000 0.0.0.0:*\n"
BLOCKED = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p udp -m udp --dport 10000 -j REJECT\nCOMMIT\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(Workdir.of("demo", root=tmp_path), resolve(Spec(lab="demo", jvbs=1, visitors=0)))


def problem(
    address: str = "192.168.56.106", stage: MediaStage = MediaStage.NO_ANSWER
) -> MediaProblem:
    return MediaProblem(stage, detail="x", bridge="jvb1", address=address, port=10000)


@pytest.mark.parametrize(
    ("rules", "sockets", "host", "said"),
    [
        pytest.param(
            nft([MEDIA, DROP], *OPEN),
            BOUND,
            "",
            ["The firewall of node 'jvb1' drops UDP to 192.168.56.106:10000: "
             "table 'inet labctl', chain 'input': 'udp dport 10000 drop'."],
            id="the lab's",
        ),
        pytest.param(
            nft(*OPEN),
            BOUND,
            BLOCKED,
            ["The firewall of this machine drops UDP to 192.168.56.106:10000: "
             "table 'iptables filter', chain 'OUTPUT': "
             "'-A OUTPUT -p udp -m udp --dport 10000 -j REJECT'."],
            id="this machine's",
        ),
        pytest.param(
            nft(*OPEN), "", "", ["Nothing listens on 10000/udp on node 'jvb1'."], id="no listener"
        ),
        pytest.param(
            nft(*OPEN),
            BOUND,
            "",
            ["No rule of node 'jvb1' or of this machine is known to drop it, "
             "and something listens on 10000/udp there."],
            id="nothing",
        ),
        pytest.param(
            nft(*OPEN),
            BOUND,
            None,
            ["This machine's own firewall could not be read: that needs root."],
            id="not root",
        ),
    ],
)  # fmt: skip
def test_who_drops_it(
    lab: Lab,
    nodes: FakeNodes,
    monkeypatch: pytest.MonkeyPatch,
    rules: str,
    sockets: str,
    host: str | None,
    said: list[str],
) -> None:
    def chains() -> list[Chain] | None:
        return None if host is None else parse_iptables(host)

    monkeypatch.setattr(explain, "host_chains", chains)
    nodes.says("jvb1", {"nft": rules, "listeners": sockets}, to=ASKED)
    assert list(explain.explain(lab, problem())) == said


def test_an_address_that_no_node_has(lab: Lab) -> None:
    assert list(explain.explain(lab, problem("192.168.56.99"))) == [
        "No node of the lab has the address 192.168.56.99: "
        "the bridge offers an address that nobody can reach."
    ]


@pytest.mark.parametrize(
    "stage", [MediaStage.OFFER, MediaStage.CODECS, MediaStage.WRONG_CREDENTIALS]
)
def test_firewalls_are_not_asked_for_what_they_do_not_do(lab: Lab, stage: MediaStage) -> None:
    assert list(explain.explain(lab, problem(stage=stage))) == []
