"""The bridges, from both sides: in the brewery, known to Jicofo, and working."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from testinfra.host import Host

from acceptance import facts as gathering
from acceptance import jicofo
from acceptance.facts import Facts
from labctl.model import Node, Topology

pytestmark = pytest.mark.brewery

READY_SECONDS = 20
FIRST_HEALTH_CHECK = 60  # seconds after its start a bridge answers /about/health for the first time


def test_every_bridge_works(jms: Host, topology: Topology) -> None:
    """When this fails, conferences have less capacity than the lab claims, or none at all."""
    expected = len(topology.bridges)
    seen = jicofo.wait_counts(jms, (expected, expected), seconds=READY_SECONDS)
    assert seen == (expected, expected), "(bridge_count, operational_bridge_count)"


def test_jicofo_knows_exactly_these_bridges(jms: Host, topology: Topology) -> None:
    """When this fails, a bridge joined under another name, or one that is not ours joined."""
    expected = set(topology.bridges)
    seen = jicofo.wait_value(lambda: set(jicofo.bridges(jms)), expected, seconds=READY_SECONDS)
    assert seen == expected


def test_bridge_is_fit_for_use(jms: Host, bridge: Node) -> None:
    """When this fails, Jicofo keeps this bridge out of new conferences."""
    nick = str(bridge.bridge)
    fit: dict[str, object] = {
        "operational": True,
        "drain": False,
        "graceful-shutdown": False,
        "shutting-down": False,
    }

    def look() -> dict[str, object]:
        known = jicofo.bridges(jms).get(nick, {})
        return {name: known.get(name) for name in fit}

    assert jicofo.wait_value(look, fit, seconds=READY_SECONDS) == fit


def test_versions_are_alike(jms: Host, topology: Topology) -> None:
    """When this fails, Jicofo will not put two of the bridges into one conference."""
    versions = {nick: facts.get("version") for nick, facts in jicofo.bridges(jms).items()}
    assert len(versions) == len(topology.bridges)
    assert len(set(versions.values())) == 1, versions


def test_jicofo_logged_the_bridge(
    facts: Mapping[str, Facts | str], topology: Topology, bridge: Node
) -> None:
    """When this fails, the log does not tell an operator which bridges came."""
    line = (
        "Added new videobridge: Bridge[jid=jvbbrewery@internal.auth."
        f"{topology.domain}/{bridge.bridge},"
    )
    assert line in gathering.of(facts, "jms").text("jicofo.log")


def test_bridge_logged_its_join(
    facts: Mapping[str, Facts | str], topology: Topology, bridge: Node
) -> None:
    """When this fails, the bridge runs and looks healthy but takes part in nothing."""
    line = f"Joined MUC: jvbbrewery@internal.auth.{topology.domain}"
    assert line in gathering.of(facts, bridge.name).text("jvb.log")


def test_bridge_is_healthy(facts: Mapping[str, Facts | str], bridge: Node) -> None:
    """When this fails, the bridge itself says that it cannot serve media."""
    found = gathering.of(facts, bridge.name)
    [code] = found.lines("jvb health")
    age = found.units["jitsi-videobridge2.service"].age
    young = age is not None and age <= FIRST_HEALTH_CHECK + 5
    assert code == "200" or (young and code in ("500", "503")), f"HTTP {code} after {age} s"
