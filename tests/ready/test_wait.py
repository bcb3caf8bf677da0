"""Waiting for signals without taking the processors from what is waited for."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from itertools import count
from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.node.sections import render_sections
from labctl.ready import wait
from labctl.ready.wait import NotReadyError, wait_signals
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.fakes.lab import PROBE, make_healthy, probe_answer
from tests.fakes.nodes import FakeNodes, Ran

EVERYBODY = ["jms", *(f"jvb{number}" for number in range(1, 11)), "visitors1"]


@pytest.fixture
def lab(tmp_path: Path, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Twelve healthy nodes, of which eight are asked at once."""
    topology = resolve(Spec(lab="demo", provider=ProviderName.DOCKER, jvbs=10, visitors=1))
    workdir = Workdir(tmp_path / "demo")
    workdir.save_topology(topology)
    make_healthy(nodes, topology)
    monkeypatch.setattr(wait, "at_once", lambda: 8)
    monkeypatch.setattr(wait, "INTERVAL", 0.01)
    return Lab(workdir, topology)


def closed_at(lab: Lab, nodes: FakeNodes, name: str, *looks: int) -> None:
    """The ports of this node are closed at these of the looks at it, counted from 1."""
    number = count(1)

    def say(_: Ran) -> str:
        closed = {"ports": ""} if next(number) in looks else {}
        return render_sections(probe_answer(lab.topology, lab.topology.node(name), **closed))

    nodes.says(name, say, to=PROBE)


def looks_at(nodes: FakeNodes) -> Counter[str]:
    return Counter(ran.node for ran in nodes.ran if ran.asks(PROBE))


def test_a_lab_that_is_ready_is_asked_once(lab: Lab, nodes: FakeNodes) -> None:
    wait_signals(lab, seconds=5, progress=silent)
    assert looks_at(nodes) == dict.fromkeys(EVERYBODY, 1)


def test_where_nothing_is_missing_nobody_asks_again_until_the_end(
    lab: Lab, nodes: FakeNodes
) -> None:
    closed_at(lab, nodes, "jvb7", 1, 2, 3)
    wait_signals(lab, seconds=5, progress=silent)
    others = dict.fromkeys(EVERYBODY, 2)
    assert looks_at(nodes) == others | {"jvb7": 5, "jms": 5}


def test_what_ended_in_the_meantime_is_seen(lab: Lab, nodes: FakeNodes) -> None:
    closed_at(lab, nodes, "jvb7", 1)
    closed_at(lab, nodes, "jvb2", 2)
    told: list[str] = []
    wait_signals(lab, seconds=5, progress=lambda _phase, text, **_: told.append(text))
    assert looks_at(nodes)["jvb2"] == 4
    assert len(told) == len(set(told))


def test_a_small_lab_is_asked_as_a_whole(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "at_once", lambda: 12)
    closed_at(lab, nodes, "jvb7", 1, 2)
    wait_signals(lab, seconds=5, progress=silent)
    assert looks_at(nodes) == dict.fromkeys(EVERYBODY, 3)


def test_what_stays_missing_is_named(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("jvb7", probe_answer(lab.topology, lab.topology.node("jvb7"), ports=""), to=PROBE)
    with pytest.raises(NotReadyError, match=r"jvb7 ports: nothing listens on \["):
        wait_signals(lab, seconds=0.1, progress=silent)
    assert looks_at(nodes)["jvb1"] == 1


def test_packages_are_not_asked_for(lab: Lab, nodes: FakeNodes) -> None:
    wait_signals(lab, seconds=5, progress=silent)
    assert not [ran for ran in nodes.ran if ran.asks("dpkg-query")]


@pytest.mark.parametrize("mend", [True, False])
def test_a_jicofo_that_lost_its_seat_is_restarted_once_and_only_where_that_is_wanted(
    lab: Lab, nodes: FakeNodes, mend: bool
) -> None:
    """A restart takes longer than a look: the old words are read again meanwhile."""
    healthy, restart = probe_answer(lab.topology, lab.topology.jms), "systemctl restart jicofo"
    looks = count(1)

    def answer(_: Ran) -> str:
        seated = nodes.ran_on("jms", restart) and next(looks) > 3
        words = "" if seated else "You are not currently connected to this chat"
        return render_sections(healthy | {"lost": words})

    nodes.says("jms", answer, to=PROBE)
    nodes.says("jms", to=restart)
    told: list[str] = []
    with nullcontext() if mend else pytest.raises(NotReadyError, match="Jicofo seat"):
        wait_signals(
            lab,
            seconds=5 if mend else 0.1,
            progress=lambda _phase, text, **_: told.append(text),
            mend=mend,
        )
    assert len(nodes.ran_on("jms", restart)) == int(mend)
    assert ("Jicofo is restarted: Prosody has lost it from the brewery" in told) == mend


@pytest.mark.parametrize(
    ("signals", "media", "ends"),
    [
        pytest.param([True], [True], None, id="at once"),
        pytest.param([True, False, True], [False, True], None, id="a bridge was lost"),
        pytest.param([True, True], [False], "no media", id="nothing was lost"),
        pytest.param([True, False, False], [False], "no signals", id="it stays lost"),
        pytest.param([True, False, True], [False, False], "no media", id="no media again"),
    ],
)
def test_what_is_lost_while_media_is_tried_is_waited_for_again(
    monkeypatch: pytest.MonkeyPatch,
    lab: Lab,
    signals: list[bool],
    media: list[bool],
    ends: str | None,
) -> None:
    seen, passed = iter(signals), iter(media)
    waited: list[float] = []

    def wait_signals(lab: Lab, *, seconds: float, **_: object) -> None:
        waited.append(seconds)
        if not next(seen):
            raise NotReadyError("no signals")

    def wait_media(lab: Lab, **_: object) -> None:
        if not next(passed):
            raise NotReadyError("no media")

    monkeypatch.setattr(wait, "wait_signals", wait_signals)
    monkeypatch.setattr(wait, "wait_media", wait_media)
    with pytest.raises(NotReadyError, match=ends) if ends else nullcontext():
        wait.wait_ready(lab, seconds=50.0, progress=silent)
    assert waited == [50.0, 0.0, 50.0][: len(waited)]
    assert (next(seen, None), next(passed, None)) == (None, None), "each was asked for"
