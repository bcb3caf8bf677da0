"""Faults, their undoing, and what Jicofo says, over nodes that pretend."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import cast

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.crowd import Target
from labctl.crowd.sync import SyncCrowd
from labctl.drills import heal
from labctl.drills.answering import wait_answering
from labctl.drills.faults import BRIDGE_UNIT, Spot, Start, Stop, Undo
from labctl.drills.heal import ensure_healthy, known_bridges, lame_bridges
from labctl.drills.journal import Journal, load_journal
from labctl.drills.model import Where, Who
from labctl.drills.outages import MACHINE_LOST
from labctl.drills.places import NoSuchPlaceError, bridges_of_far_machines, wanted_bridges
from labctl.drills.show import Show
from labctl.drills.stage import Call, DrillStage
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes

DEBUG = "127.0.0.1:8888/debug"


def debug(**bridges: bool) -> str:
    """What Jicofo says of bridges: nick, and whether it is operational."""
    known = {f"muc@x/{nick}": {"operational": works} for nick, works in bridges.items()}
    return json.dumps({"bridge_selector": {"bridge": known}})


@pytest.fixture
def stage(lab: Lab) -> DrillStage:
    journal = Journal(lab.folder, what="bridge-stop")
    return DrillStage(lab, journal, ExitStack(), cast(Target, None))


def test_the_undo_is_on_disk_before_anything_is_broken(
    stage: DrillStage, lab: Lab, nodes: FakeNodes
) -> None:
    def look(ran: object) -> str:
        left = load_journal(lab.folder)
        assert left is not None and len(left.entries) == 2
        return ""

    for node in ("jms", "jvb1"):
        nodes.says(node, look, to=f"systemctl stop {BRIDGE_UNIT}")
        nodes.says(node, to=f"systemctl start {BRIDGE_UNIT}")
    stage.hit(Stop(), stage.spots(Where.ALL))
    assert all(ran.sudo and ran.seconds == 40 for ran in nodes.ran)
    stage.undo()
    assert load_journal(lab.folder) is None
    assert [ran.node for ran in nodes.ran[2:]] == ["jvb1", "jms"]


def test_a_fault_that_cannot_be_undone_stays_on_disk(
    stage: DrillStage, lab: Lab, nodes: FakeNodes
) -> None:
    nodes.says("jms", to=BRIDGE_UNIT)
    stage.hit(Stop(), stage.spots(Where.OWN))
    nodes.silence("jms")
    with pytest.raises(LabError, match="could not be undone on 'jms'"):
        stage.undo()
    assert load_journal(lab.folder) is not None


def test_a_bridge_is_asked_for_its_health_before_it_is_hit_and_nothing_else_is(
    stage: DrillStage, lab: Lab, nodes: FakeNodes
) -> None:
    nodes.says("jvb1", to="8080/about/health")
    spot = Spot("jvb1", BRIDGE_UNIT, "jvb1")
    wait_answering(lab, Stop(), (spot,))
    assert [ran.node for ran in nodes.ran] == ["jvb1"]
    wait_answering(lab, Start(), (spot,))
    wait_answering(lab, Undo(Stop()), (spot,))
    wait_answering(lab, Stop(), stage.spots(Where.PROSODY))
    assert len(nodes.ran) == 1


def test_two_bridges_are_the_one_in_use_and_another(stage: DrillStage) -> None:
    stage.call = Call(cast(SyncCrowd, None), frozenset({"jvb1"}), ())
    assert [spot.name for spot in stage.spots(Where.PAIR)] == ["jvb1", "jvb"]


def test_a_place_that_the_lab_does_not_have(stage: DrillStage) -> None:
    with pytest.raises(NoSuchPlaceError):
        stage.spots(Where.VNODE)


@pytest.mark.parametrize(
    ("said", "count"),
    [('{"bridge_selector": {"operational_bridge_count": 2}}', 2), ("", -1), ("{}", -1)],
    ids=["answers", "silent", "says nothing"],
)
def test_operational_bridges(stage: DrillStage, nodes: FakeNodes, said: str, count: int) -> None:
    nodes.says("jms", said, to="127.0.0.1:8888/stats", code=0 if said else 7)
    assert stage.operational() == count


def test_too_few_bridges_are_an_error_with_their_number(
    stage: DrillStage, nodes: FakeNodes
) -> None:
    nodes.says("jms", '{"bridge_selector": {"operational_bridge_count": 1}}', to="/stats")
    with pytest.raises(LabError, match="has 1 operational bridges after 0 s, not 2"):
        stage.wait_operational(2, seconds=0.1)


def test_bridges_as_jicofo_knows_them(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("jms", debug(jvb=True, jvb1=True), to=DEBUG)
    assert known_bridges(lab) == {"jvb": True, "jvb1": True}
    assert lame_bridges(lab) == []
    nodes.says("jms", debug(jvb=False), to=DEBUG)
    assert [node.name for node in lame_bridges(lab)] == ["jms", "jvb1"]
    nodes.silence("jms")
    assert known_bridges(lab) == {}


def test_nothing_is_broken_where_a_node_is_silent(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heal, "wait_media", lambda *_, **__: None)
    ensure_healthy(lab, progress=silent)
    nodes.silence("visitors1")
    with pytest.raises(LabError, match="'visitors1' does not answer, so no fault is made"):
        ensure_healthy(lab, progress=silent)


def test_lame_bridges_are_stopped_until_jicofo_has_lost_them(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heal, "wait_media", lambda *_, **__: None)
    monkeypatch.setattr(heal, "HEALTHY_SECONDS", 0.1)
    healthy = probe_answer(lab.topology, lab.topology.jms)
    stats = {"bridge_selector": {"bridge_count": 1, "operational_bridge_count": 1}}

    def answer(ran: object) -> dict[str, str]:
        if nodes.ran_on("jvb1", f"systemctl start {BRIDGE_UNIT}"):
            return healthy
        return healthy | {"stats": json.dumps(stats)}

    nodes.says("jms", debug(jvb=True), to=DEBUG)
    nodes.says("jms", answer, to=PROBE)
    nodes.says("jvb1", to=BRIDGE_UNIT)
    nodes.says("jvb1", probe_answer(lab.topology, lab.topology.node("jvb1")), to=PROBE)
    found = heal.heal(lab, progress=silent)
    assert found.repaired == "bridges restarted: 'jvb1'"
    assert found.after is not None and not found.left
    verbs = [ran.text for ran in nodes.ran_on("jvb1", "systemctl st")]
    assert verbs == [f"systemctl stop {BRIDGE_UNIT}", f"systemctl start {BRIDGE_UNIT}"]


@pytest.mark.parametrize("restart_helps", [True, False])
def test_a_jicofo_that_lost_its_seat_is_restarted_and_no_bridge(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch, restart_helps: bool
) -> None:
    monkeypatch.setattr(heal, "wait_media", lambda *_, **__: None)
    monkeypatch.setattr(heal, "HEALTHY_SECONDS", 0.1)
    monkeypatch.setattr(heal, "REPAIR_SECONDS", 0.1)
    healthy, restart = probe_answer(lab.topology, lab.topology.jms), "systemctl restart jicofo"

    def answer(_: object) -> dict[str, str]:
        seated = restart_helps and nodes.ran_on("jms", restart)
        return healthy | {"lost": "" if seated else "You are not currently connected to this chat"}

    nodes.says("jms", answer, to=PROBE)
    nodes.says("jms", to=restart)
    nodes.says("jvb1", probe_answer(lab.topology, lab.topology.node("jvb1")), to=PROBE)
    found = heal.heal(lab, progress=silent)
    assert len(nodes.ran_on("jms", restart)) == 1
    assert [ran.text for ran in nodes.ran if BRIDGE_UNIT in ran.text and not ran.asks(PROBE)] == []
    if restart_helps:
        assert found.repaired == "Jicofo restarted: Prosody had lost it from the brewery"
    else:
        assert "Jicofo seat: Prosody has lost it" in found.left


def test_a_lost_machine_is_every_node_of_it_and_never_the_jms(lab: Lab) -> None:
    spec = Spec(hosts=("local", "ssh://lab2"), jvbs=3, visitors=4)
    spread = replace(lab, topology=resolve(spec))
    stage = DrillStage(spread, Journal(lab.folder, what="x"), ExitStack(), cast(Target, None))
    assert bridges_of_far_machines(spread.topology) == ("jvb1", "jvb3")
    assert wanted_bridges(spread.topology, Where.MACHINE) == ("jvb1", "jvb3")
    stage.call = Call(cast(SyncCrowd, None), frozenset({"jvb3"}), ())
    spots = stage.spots(Where.MACHINE)
    assert [spot.name for spot in spots] == ["jvb1", "jvb3", "visitors1"]
    assert [spot.unit for spot in spots] == [BRIDGE_UNIT, BRIDGE_UNIT, ""]
    assert bridges_of_far_machines(resolve(Spec(jvbs=3))) == ()


def test_of_a_node_without_a_bridge_nothing_is_expected() -> None:
    spots = [Spot("jvb1", BRIDGE_UNIT, "jvb1"), Spot("visitors1", "", "visitors1")]
    show = object.__new__(Show)
    assert show._subjects(Who.HIT, 0, MACHINE_LOST.acts[0], spots) == ("jvb1",)
