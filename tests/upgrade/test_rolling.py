"""A whole lab of nodes that pretend, upgraded node by node and all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labctl.core.progress import silent
from labctl.lab.prepare import render_lab
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.upgrade import drain
from labctl.upgrade.model import Action, Scenario, Symptom
from labctl.upgrade.rolling import Rollout, upgrade_order
from tests.fakes.nodes import FakeNodes
from tests.upgrade.scene import FakeCall, FakeLarder, Packaged

SLOW = 0.05


@pytest.fixture
def drained(nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bridges that accept a graceful shutdown and end."""
    for name in ("jms", "jvb1"):
        nodes.says(name, "", to="shutdown.enabled")
        nodes.says(name, "200", to="/colibri/shutdown")
        nodes.says(name, "inactive\n", to=drain.SHOW)
    monkeypatch.setattr(drain, "ASK_SECONDS", SLOW)
    monkeypatch.setattr(drain, "DRAIN_SECONDS", SLOW)


@pytest.fixture
def rendered(lab: Lab) -> Lab:
    render_lab(lab)
    return lab


def play(
    lab: Lab, folder: Path, call: FakeCall, *, at_once: bool = False, **values: Any
) -> Scenario:
    rollout = Rollout(lab, FakeLarder(folder), call, silent, **values)  # type: ignore[arg-type]
    return rollout.at_once() if at_once else rollout.node_by_node()


def test_bridges_come_first_and_the_jms_last() -> None:
    """The monitoring node has none of the packages that an upgrade is about."""
    topology = resolve(Spec(lab="x", jvbs=2, visitors=1, monitoring=True))
    assert [node.name for node in upgrade_order(topology)] == [
        "jvb1", "jvb2", "visitors1", "jms",
    ]  # fmt: skip


def seen(scenario: Scenario) -> list[tuple[str, Symptom]]:
    return [(each.node, each.symptom) for each in scenario.observations if not each.ours]


@pytest.mark.usefixtures("drained")
def test_a_clean_upgrade_node_by_node(rendered: Lab, nodes: FakeNodes, tmp_path: Path) -> None:
    packaged = Packaged(rendered).settle(nodes)
    call = FakeCall(lost=1.5)
    scenario = play(rendered, tmp_path, call)
    assert (seen(scenario), scenario.ended) == ([], None)
    assert packaged.order == ["jvb1", "visitors1", "jms"]
    # Their packages are set up for the lab, not for the host that images are baked for.
    told = [ran.stdin or "" for ran in nodes.ran if ran.asks("debconf-set-selections")]
    assert len(told) == 3
    assert all("jvb-hostname string meet.lab.internal" in each for each in told)
    # First away from the bridge that is drained, then away from the JMS's own.
    assert call.moved == 2
    assert scenario.lost == pytest.approx(4.5)
    assert [step.name for step in scenario.steps] == [
        "upgrade jvb1", "upgrade visitors1", "upgrade jms",
    ]  # fmt: skip


@pytest.mark.usefixtures("drained")
def test_vnodes_are_restarted_by_hand_and_that_is_told(
    rendered: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    Packaged(rendered).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall())
    told = {each.subject for each in scenario.observations if each.ours}
    assert told == {"prosody-v@1.service", "prosody-v@2.service"}
    assert len(nodes.ran_on("visitors1", "systemctl restart prosody-v@")) == 2


@pytest.mark.usefixtures("drained")
def test_it_ends_at_the_node_whose_script_fails(
    rendered: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    packaged = Packaged(rendered, fails=("jitsi-meet-web-config",)).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall())
    assert packaged.order == ["jvb1", "visitors1"]
    (failed,) = [each for each in scenario.observations if each.symptom is Symptom.FAILED]
    assert (failed.node, failed.package) == ("visitors1", "jitsi-meet-web-config")
    assert scenario.ended is not None
    assert "upgrade visitors1" in scenario.ended


@pytest.mark.usefixtures("drained")
def test_a_service_that_starts_twice_is_named(
    rendered: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    Packaged(rendered, starts=2).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall())
    assert ("jvb1", Symptom.RESTARTED) in seen(scenario)
    assert ("jms", Symptom.RESTARTED) in seen(scenario)


@pytest.mark.usefixtures("drained")
def test_a_call_that_has_no_sound_again_ends_it(
    rendered: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    packaged = Packaged(rendered).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall(sound=False))
    assert seen(scenario) == [("jvb1", Symptom.CALL)]
    assert packaged.order == ["jvb1"]


@pytest.mark.usefixtures("drained")
@pytest.mark.parametrize(
    ("said", "call", "text"),
    [
        ({"/colibri/shutdown": "404"}, FakeCall(), "did not accept"),
        ({drain.SHOW: "active"}, FakeCall(), "had not ended"),
        ({}, FakeCall(to="jvb1"), "a new conference was placed on it"),
        ({}, FakeCall(moves=False), "no other call could be begun"),
    ],
    ids=["refused", "does not end", "takes new ones", "nobody gets in"],
)
def test_a_bridge_that_is_not_drained_as_it_should(
    rendered: Lab,
    nodes: FakeNodes,
    tmp_path: Path,
    said: dict[str, str],
    call: FakeCall,
    text: str,
) -> None:
    Packaged(rendered).settle(nodes)
    for to, answer in said.items():
        nodes.says("jvb1", answer, to=to)
    scenario = play(rendered, tmp_path, call)
    first = scenario.steps[0].observations[0]
    assert first.symptom is Symptom.DRAIN
    assert text in first.text


def test_all_at_once_and_back(rendered: Lab, nodes: FakeNodes, tmp_path: Path) -> None:
    packaged = Packaged(rendered).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall(lost=7.0), at_once=True)
    assert sorted(packaged.order) == ["jms", "jvb1", "visitors1"]
    assert (seen(scenario), scenario.lost, len(scenario.steps)) == ([], 7.0, 1)
    back = play(rendered, tmp_path, FakeCall(), at_once=True, action=Action.DOWNGRADE)
    assert back.steps[0].action is Action.DOWNGRADE
    assert back.name == "downgrade all at once"


def test_a_file_of_the_lab_about_which_dpkg_would_ask_is_ours(
    rendered: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    path = "/etc/nginx/nginx.conf"
    asks = f"Configuration file '{path}'\n ==> Modified (by you or by a script)\n"
    Packaged(rendered, asks=asks).settle(nodes)
    scenario = play(rendered, tmp_path, FakeCall(), at_once=True)
    found = {e.node: e.ours for e in scenario.observations if e.symptom is Symptom.CONFFILE}
    assert found == {"jms": True, "jvb1": False, "visitors1": False}
