"""Nodes that answer, do not answer, and hang while the others go on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from labctl.core.errors import LabError
from labctl.core.waiting import Deadline, wait_until
from labctl.live.model import Group, NodeMood, Present, Snapshot
from labctl.live.poll import SLOW_EVERY, Heard, Poller, ask_once, slowdown
from labctl.live.source import KEPT_SAMPLES, LiveLab, take, take_once
from labctl.node.script import Work
from labctl.node.seam import Answer
from labctl.ready.probe import expected_units
from labctl.ready.record import save_record
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from tests.fakes.lab import unit_shown
from tests.fakes.nodes import FakeNodes

ROOM = "demo@conference.meet.lab.internal"


def live_answer(lab: Lab, node: Node) -> dict[str, str]:
    """What a node of a healthy lab says to the live question."""
    units = "\n".join(
        unit_shown(unit, pid=index + 100) for index, unit in enumerate(expected_units(node))
    )
    numbers = range(1, 65536)
    said = {
        "clock 1795943110.5 +0000 asked 1795943110.4": "",
        "units": units,
        "ports": "".join(f"*:{port}\n" for port in numbers),
        "slow": "",
        "stand-ins": "jicofo 0~standin1\n",
    }
    if node is lab.topology.jms:
        bridges = lab.topology.bridges
        people = {"abcd1234": {"visitor": False}, "dcba4321": {"visitor": True}}
        session = {"participants": list(people)}
        visitor = {"remoteJid": "demo@conference.v2.meet.jitsi/dcba4321"}
        count = {"bridge_count": len(bridges), "operational_bridge_count": len(bridges)}
        known = {f"brewery@x/{nick}": {"operational": True, "stress": 0.5} for nick in bridges}
        said |= {
            "stats": json.dumps(
                {"conferences": 1, "participants": 2, "visitors": 1, "bridge_selector": count}
            ),
            "debug": json.dumps({"focus_manager": {ROOM: 2}, "bridge_selector": {"bridge": known}}),
            "connections": "v1\nv2\n",
            f"room {ROOM}": json.dumps(
                {
                    "participants": {"dcba4321": {"jingle_session": visitor}},
                    "visitor_count": 1,
                    "colibri_session_manager": {
                        "participants": people,
                        "sessions": {"jvb1": session},
                    },
                }
            ),
        }
    if node.vnodes:
        said |= {"clients": "52801 1\n52691 1\n", "links": "x pid=101,fd=1\n"}
    return said


@pytest.fixture
def live(lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A healthy lab that can be followed; its network is there."""
    for node in lab.topology.nodes:
        nodes.says(node.name, live_answer(lab, node), to="section units")
    monkeypatch.setattr("labctl.live.source.prove_local", lambda *_: "br0")
    save_record(lab.folder, dict.fromkeys(lab.topology.bridges, ""), by="up")
    return lab


def test_one_look_has_everything(live: Lab) -> None:
    found = take_once(live)
    assert (found.healthy, found.missing, found.complete) == (True, {}, True)
    assert {node.mood for node in found.nodes} == {NodeMood.FINE}
    assert [(it.nick, it.operational, it.stress) for it in found.bridges] == [
        ("jvb", True, 0.5),
        ("jvb1", True, 0.5),
    ]
    assert [(it.name, it.clients, it.s2s_in, it.s2s_out) for it in found.vnodes] == [
        ("v1", 1, 1, 1),
        ("v2", 0, 0, 0),
    ]
    [conference] = found.conferences
    assert (conference.room, conference.participants, conference.visitors) == (ROOM, 2, 1)
    assert [(it.id, it.bridge, it.visitor, it.vnode) for it in conference.people] == [
        ("abcd1234", "jvb1", False, ""),
        ("dcba4321", "jvb1", True, "v2"),
    ]
    assert [it.present for it in found.bridges] == [
        Present(),
        Present((Group(ROOM, ("abcd1234", "dcba4321")),)),
    ]
    assert [it.present for it in found.vnodes] == [
        Present(),
        Present((Group(ROOM, ("dcba4321",)),)),
    ]
    assert found.stand_ins == ("jicofo",)


def test_each_node_is_asked_with_one_command(live: Lab, nodes: FakeNodes) -> None:
    """The JMS twice: its conferences are known only after the first answer."""
    take_once(live)
    assert {name: len(nodes.ran_on(name)) for name in ("jms", "jvb1", "visitors1")} == {
        "jms": 2,
        "jvb1": 1,
        "visitors1": 1,
    }
    assert all(ran.sudo for ran in nodes.ran)


def test_a_node_that_is_gone_is_named(live: Lab, nodes: FakeNodes) -> None:
    nodes.silence("jvb1")
    found = take_once(live)
    [gone] = [node for node in found.nodes if node.name == "jvb1"]
    assert (gone.mood, gone.age, gone.error) == (NodeMood.SILENT, None, "Connection timed out")
    assert not found.healthy
    assert found.missing == {"jvb1 answers": "Connection timed out"}
    assert [it.where for it in found.advice] == ["jvb1"]


def test_without_the_jms_nothing_is_said_of_bridges(live: Lab, nodes: FakeNodes) -> None:
    nodes.silence("jms")
    found = take_once(live)
    assert list(found.missing) == ["jms answers"]
    assert found.totals.participants is None


class Hanging:
    """Nodes of which one hangs from a moment on, until it is let go."""

    def __init__(self, inner: FakeNodes, name: str) -> None:
        self.inner, self.name = inner, name
        self.hangs, self.go_on = threading.Event(), threading.Event()

    def run(self, node: str, work: Work, **given: object) -> Answer:
        if node == self.name and self.hangs.is_set():
            self.go_on.wait(30)
        return self.inner.run(node, work, **given)  # type: ignore[arg-type]


def wait(check: Callable[[], bool]) -> None:
    assert wait_until(check, deadline=Deadline.after(15), interval=0.01)


def test_a_node_that_hangs_stalls_nobody(
    live: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are asked on; what it said last stays, and is called stale after a while."""
    hanging = Hanging(nodes, "jvb1")
    monkeypatch.setattr("labctl.node.reach.TRANSPORT", lambda _: hanging)
    monkeypatch.setattr("labctl.live.assemble.STALE_SECONDS", 0.3)
    poller = Poller(live, interval=0.02)
    try:
        with poller:
            assert poller.wait_asked(Deadline.after(15))
            hanging.hangs.set()
            tries = poller.heard()["visitors1"].tries
            wait(lambda: poller.heard()["visitors1"].tries > tries + 20)

            def mood() -> NodeMood:
                return {it.name: it.mood for it in snapshot(live, poller).nodes}["jvb1"]

            wait(lambda: mood() is NodeMood.STALE)
            found = snapshot(live, poller)
            assert {it.name: it.mood for it in found.nodes}["visitors1"] is NodeMood.FINE
            [bridge] = [it for it in found.bridges if it.nick == "jvb1"]
            assert bridge.stale and bridge.operational
            hanging.hangs.clear()
            hanging.go_on.set()
            wait(lambda: mood() is NodeMood.FINE)
    finally:
        hanging.go_on.set()


def snapshot(lab: Lab, poller: Poller) -> Snapshot:
    return take(lab, poller.heard(), frozenset(), None)


def test_a_node_that_is_not_asked_yet_is_not_missing(live: Lab) -> None:
    found = take(live, {node.name: Heard() for node in live.topology.nodes}, frozenset(), None)
    assert (found.complete, found.healthy, found.missing) == (False, False, {})
    assert {node.mood for node in found.nodes} == {NodeMood.ASKED}


def test_an_answer_in_part_is_no_answer(live: Lab, nodes: FakeNodes) -> None:
    nodes.says("jvb1", "", to="section units", code=1, errors="sudo: no\n")
    assert ask_once(live)["jvb1"].error == "sudo: no"


def test_secrets_do_not_leave_the_log(live: Lab, nodes: FakeNodes) -> None:
    line = "JVB 2026-11-29 09:00:00.500 SEVERE: password=geheim-1234\n"
    said = live_answer(live, live.topology.node("jvb1"))
    nodes.says("jvb1", {**said, "log /var/log/jitsi/jvb.log 9": line}, to="section units")
    heard = ask_once(live)
    [shown] = take(live, heard, frozenset({"geheim-1234"}), None).lines
    assert shown.text == "password=[secret]"
    assert take(live, heard, None, None).lines == ()


def test_rooms_of_the_last_answer_are_asked_for(live: Lab, nodes: FakeNodes) -> None:
    ask_once(live)
    first, second = nodes.ran_on("jms")
    assert "/debug/conference/" not in first.text
    assert f"/debug/conference/{ROOM}" in second.text


def test_a_large_room_is_asked_seldom_and_its_people_stay(
    live: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand participants are a megabyte of Jicofo's, every two seconds."""
    for module in ("answer", "poll"):
        monkeypatch.setattr(f"labctl.live.{module}.LARGE_ROOM", 2)
    told = live_answer(live, live.topology.jms)
    quick = {name: text for name, text in told.items() if name not in ("slow", f"room {ROOM}")}
    nodes.says("jms", quick, to="section units")
    nodes.says("jms", {**quick, f"room {ROOM}": told[f"room {ROOM}"]}, to="/debug/conference/")
    poller = Poller(live, interval=0.01)
    with poller:
        wait(lambda: poller.heard()["jms"].tries > 3 * SLOW_EVERY)
        answer = poller.heard()["jms"].answer
    assert answer is not None and set(answer.people[ROOM].places) == {"abcd1234", "dcba4321"}
    asked = ["/debug/conference/" in ran.text for ran in nodes.ran_on("jms")]
    # Once as soon as it is known, then whenever all is asked.
    assert asked[: 2 * SLOW_EVERY + 1] == [
        index == 1 or (index > 0 and index % SLOW_EVERY == 0) for index in range(2 * SLOW_EVERY + 1)
    ]


def test_the_load_is_noted_and_bounded(live: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.live.source.SAMPLE_SECONDS", 0.0)
    with LiveLab(live, interval=0.005) as following:
        wait(lambda: len(following.samples()) > 20)
        assert following.samples()[-1].participants == 2
        assert following._samples.maxlen == KEPT_SAMPLES


def test_the_end_waits_for_nobody(
    live: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads have ended after the view has."""
    with LiveLab(live, interval=0.01):
        wait(lambda: len(nodes.ran) > 10)
    ran, began = len(nodes.ran), time.monotonic()
    assert not [it for it in threading.enumerate() if it.name.startswith("live ")]
    assert time.monotonic() - began < 5 and len(nodes.ran) == ran


def test_nothing_is_asked_where_the_network_is_not_ours(
    live: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent, the lab's network is proven to be this machine's."""

    def refuse(*_: object) -> None:
        raise LabError("No interface of this machine owns it.")

    monkeypatch.setattr("labctl.live.source.prove_local", refuse)
    with pytest.raises(LabError, match="No interface"):
        take_once(live)
    with pytest.raises(LabError, match="No interface"), LiveLab(live):
        pytest.fail("it has begun")
    assert nodes.ran == []


def test_nodes_of_a_large_lab_are_asked_less_often(
    live: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the JMS: here a node may be asked once while the JMS is asked many times."""
    monkeypatch.setattr("labctl.live.poll.slowdown", lambda _: 1000.0)
    poller = Poller(live, interval=0.02)
    with poller:
        wait(lambda: poller.heard()["jms"].tries > 20)
        asked = {name: heard.tries for name, heard in poller.heard().items()}
    assert max(tries for name, tries in asked.items() if name != "jms") <= 1


def test_only_a_large_lab_is_slowed_down(live: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(live.topology.nodes)
    monkeypatch.setattr("labctl.live.poll.at_once", lambda: count)
    assert slowdown(live) == 1.0
    monkeypatch.setattr("labctl.live.poll.at_once", lambda: count // 2)
    assert slowdown(live) == pytest.approx(count / (count // 2))
