"""What Prometheus asks and gets, and the alert of a bridge that is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from acceptance import jicofo, remote
from acceptance.bridges import Bridges
from acceptance.undertest import LabUnderTest
from labctl.lab.metrics import monitoring_node, read_alerts, read_now
from labctl.topology.model import Topology
from labctl.topology.monitors import NGINX_METRICS

pytestmark = pytest.mark.monitoring

SCRAPE_SECONDS = 15
"""Prometheus looks for targets 5 s after its start, and asks them every 2 s."""
FIRE_SECONDS = 20
"""Two questions, four seconds of waiting, one look at the rules."""
END_SECONDS = 60
"""A bridge answers 15 s after its start where Java has little CPU."""
LOST = "BridgeLost"


@pytest.fixture(autouse=True)
def _monitored(topology: Topology) -> None:
    if not topology.spec.monitoring:
        pytest.skip("this lab has no monitoring")


def expected_targets(topology: Topology) -> Counter[str]:
    return Counter(
        jicofo=1,
        prosody=1,
        nginx=1,
        prometheus=1,
        bridge=len(topology.bridges),
        vnode=len(topology.vnodes),
    )


def test_every_program_is_asked_with_success(lab: LabUnderTest, topology: Topology) -> None:
    """When this fails, curves have holes, and an alert that should fire does not."""

    def down_or_missing() -> list[str]:
        found = read_now(lab.lab, "up")
        up = [it for it in found if it.points[-1].value == 1]
        missing = +expected_targets(topology) - Counter(it.labels["job"] for it in up)
        return sorted(missing)

    seen = jicofo.wait_value(down_or_missing, [], seconds=SCRAPE_SECONDS, patience=lab.patience)
    assert seen == []


def test_nginx_is_counted(lab: LabUnderTest) -> None:
    """When this fails, nobody sees how many people ask the web server for something."""
    [found] = read_now(lab.lab, "nginx_http_requests_total")
    assert found.points[-1].value > 0


def test_jicofo_counts_the_bridges(lab: LabUnderTest, topology: Topology) -> None:
    """When this fails, the rules are about metrics that these packages do not have."""
    count = len(topology.bridges)
    seen = jicofo.wait_value(
        lambda: [it.points[-1].value for it in read_now(lab.lab, "lab:bridges:operational")],
        [count],
        seconds=45,
        patience=lab.patience,
    )
    assert seen == [count], "Jicofo makes its gauges anew every 30 s"


@pytest.mark.security
@pytest.mark.parametrize("path", ["/", "/stats", "/jicofo/stats", "/jicofo/metrics/../stats",
                                  "/bridge/colibri/drain", "/prosody/http-bind"])  # fmt: skip
def test_the_jms_gives_metrics_only(lab: LabUnderTest, topology: Topology, path: str) -> None:
    """When this fails, the monitoring node can move calls and drain bridges by the JMS."""
    machine = lab.machines[monitoring_node(lab.lab).name]
    url = f"http://{topology.jms.address}:{NGINX_METRICS}{path}"
    ask = "curl -s -o /dev/null --path-as-is -m 5 -w '%%{http_code}' %s"
    assert remote.run(machine, ask, url).stdout == "404"


@pytest.mark.slow
@pytest.mark.failover
def test_a_lost_bridge_has_an_alert(
    lab: LabUnderTest, bridges: Bridges, topology: Topology
) -> None:
    """When this fails, a bridge can be down for hours before somebody looks."""
    nick = topology.bridges[-1]

    def firing() -> list[str]:
        return [
            it.labels["bridge"]
            for it in read_alerts(lab.lab)
            if it.name == LOST and it.state == "firing"
        ]

    assert firing() == []
    bridges.stop(nick)
    seen = jicofo.wait_value(firing, [nick], seconds=FIRE_SECONDS, patience=lab.patience)
    assert seen == [nick], f"'{LOST}' does not fire for bridge '{nick}'"
    bridges.start(nick)
    seen = jicofo.wait_value(firing, [], seconds=END_SECONDS, patience=lab.patience)
    assert seen == [], f"'{LOST}' still fires"
