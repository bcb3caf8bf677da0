"""The bridges, from both sides: in the brewery, known to Jicofo, and working."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from acceptance import facts as gathering
from acceptance import jicofo
from acceptance.facts import Facts
from acceptance.remote import Machine
from labctl.core.waiting import Patience, wait_until
from labctl.node.jicofo import Bridge
from labctl.topology.model import Node, Topology

pytestmark = pytest.mark.brewery

READY_SECONDS = 20
FIRST_HEALTH_CHECK = 60  # seconds after its start a bridge answers /about/health for the first time


FIT = {"operational": True, "drain": False, "graceful_shutdown": False, "shutting_down": False}
"""What a bridge must be to get conferences (`labctl.node.jicofo.Bridge`)."""


@dataclass(frozen=True)
class Brewery:
    """What Jicofo says of its bridges, once that was as expected or the deadline had passed."""

    counts: tuple[int, int]
    bridges: Mapping[str, Bridge]

    def fitness(self, nick: str) -> dict[str, object]:
        return {name: getattr(self.bridges.get(nick), name, None) for name in FIT}


@pytest.fixture(scope="module")
def brewery(jms: Machine, topology: Topology) -> Brewery:
    """Asked until all is well, at most READY_SECONDS for all tests together."""
    seen: list[Brewery] = []

    def well() -> bool:
        seen.append(Brewery(jicofo.counts(jms), jicofo.bridges(jms)))
        return seen[-1].counts == (len(topology.bridges),) * 2 and all(
            seen[-1].fitness(nick) == FIT for nick in topology.bridges
        )

    wait_until(well, deadline=jms.patience.deadline(READY_SECONDS), interval=0.5)
    return seen[-1]


def test_every_bridge_works(brewery: Brewery, topology: Topology) -> None:
    """When this fails, conferences have less capacity than the lab claims, or none at all."""
    expected = len(topology.bridges)
    assert brewery.counts == (expected, expected), "(bridge_count, operational_bridge_count)"


def test_jicofo_knows_exactly_these_bridges(brewery: Brewery, topology: Topology) -> None:
    """When this fails, a bridge joined under another name, or one that is not ours joined."""
    assert set(brewery.bridges) == set(topology.bridges)


def test_bridge_is_fit_for_use(brewery: Brewery, jms: Machine, bridge: Node) -> None:
    """When this fails, Jicofo keeps this bridge out of new conferences: it joined, no more."""
    found = brewery.fitness(str(bridge.bridge))
    if found != FIT:
        wrong = {name: value for name, value in found.items() if value != FIT[name]}
        why = jicofo.why_not_operational(jms, str(bridge.bridge))
        pytest.fail(f"Bridge '{bridge.bridge}' on '{bridge.name}' is not fit: {wrong}. {why}")


def test_versions_are_alike(brewery: Brewery, topology: Topology) -> None:
    """When this fails, Jicofo will not put two of the bridges into one conference."""
    versions = {nick: known.version for nick, known in brewery.bridges.items()}
    assert len(versions) == len(topology.bridges)
    assert len(set(versions.values())) == 1, versions


def test_metrics_count_what_stats_count(jms: Machine) -> None:
    """When this fails, whoever watches Jicofo by its metrics is not told of lost bridges."""
    stats, metrics = jicofo.stats(jms), jicofo.metrics(jms)
    told = {
        "lost_bridges": metrics.value("bridge_selector_lost_bridges"),
        "participants_moved": metrics.value("participants_moved"),
    }
    assert told == {name: getattr(stats, name) for name in told}
    assert None not in told.values()


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


def test_bridge_is_healthy(
    facts: Mapping[str, Facts | str], bridge: Node, patience: Patience
) -> None:
    """When this fails, the bridge itself says that it cannot serve media."""
    found = gathering.of(facts, bridge.name)
    code, *words = found.lines("jvb health") or ("none",)
    age = found.age("jitsi-videobridge2.service")
    late = timedelta(seconds=FIRST_HEALTH_CHECK + patience.scaled(5))
    young = age is not None and age <= late
    assert code == "200" or (young and code in ("500", "503")), f"HTTP {code} after {age}: {words}"
