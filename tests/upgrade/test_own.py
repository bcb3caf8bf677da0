"""Packages with their own configuration, on a machine that pretends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labctl.core.progress import silent
from labctl.topology.lab import Lab
from labctl.topology.spec import Spec
from labctl.upgrade import own, works
from labctl.upgrade.machine import Machine, machine_spec, render_answers
from labctl.upgrade.model import Action, Symptom
from labctl.upgrade.own import left_after_purge, try_packages, upgrade_own
from labctl.upgrade.snapshot import Snapshot
from labctl.upgrade.works import check_works
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes
from tests.upgrade.scene import FakeCall, FakeLarder, Packaged


@pytest.fixture
def machine(lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which everything works, with people who can hold a call."""
    nodes.says("jms", "", to="debconf-set-selections")
    nodes.says("jms", "(certificate)", to="/etc/jitsi/meet/")
    nodes.says("jms", "", to="|Unable to load module")
    nodes.says("jms", "All checks passed, congratulations!\n", to="prosodyctl check config")
    nodes.says("jms", "test is successful\n", to="nginx -t")
    nodes.says("jms", "SEVERE: it broke\n", to="tail -n 4")

    @contextmanager
    def held(*_: object, **__: object) -> Iterator[Any]:
        yield FakeCall(lost=2.0)

    # People need sockets.
    monkeypatch.setattr(own, "open_call", held)
    monkeypatch.setattr(works, "open_call", held)
    monkeypatch.setattr(works, "READY_SECONDS", 0.05)
    return Machine(lab, render_answers(lab.topology.domain))


def test_a_metapackage_that_works(machine: Machine, nodes: FakeNodes, tmp_path: Path) -> None:
    Packaged(machine.lab).settle(nodes)
    larder: Any = FakeLarder(tmp_path)
    scenario = try_packages(machine, larder, ["jitsi-meet"], progress=silent)
    assert (scenario.observations, scenario.ended) == ((), None)
    assert scenario.steps[0].installed == ("jitsi-meet",)


def test_a_script_that_fails_names_package_and_step(
    machine: Machine, nodes: FakeNodes, tmp_path: Path
) -> None:
    Packaged(machine.lab, fails=("jitsi-meet-tokens",)).settle(nodes)
    larder: Any = FakeLarder(tmp_path)
    names = ["jitsi-meet", "jitsi-meet-tokens"]
    scenario = try_packages(machine, larder, names, also=["other"], progress=silent)
    (found,) = scenario.observations
    assert (found.symptom, found.package) == (Symptom.FAILED, "jitsi-meet-tokens")
    assert "post-installation script" in found.text
    assert scenario.ended is not None
    assert "install jitsi-meet, jitsi-meet-tokens" in scenario.ended
    assert len(scenario.steps) == 1


def test_others_are_installed_one_by_one_and_one_that_cannot_be_is_told(
    machine: Machine, nodes: FakeNodes, tmp_path: Path
) -> None:
    Packaged(machine.lab).settle(nodes)
    larder: Any = FakeLarder(tmp_path, unmet=("jibri",))
    scenario = try_packages(
        machine, larder, ["jitsi-meet"], also=["jicofo", "jibri", "jigasi"], progress=silent
    )
    # Jicofo is there already.
    assert [step.packages for step in scenario.steps] == [("jitsi-meet",), ("jibri",), ("jigasi",)]
    (found,) = scenario.observations
    assert (found.symptom, found.package) == (Symptom.UNMET, "jibri")


@pytest.mark.parametrize(
    ("to", "answer", "code", "symptom", "text"),
    [
        ("|Unable to load module", "error Unable to load module 'auth_token'\n", 0,
         Symptom.NOT_READY, "auth_token"),
        ("prosodyctl check config", "Problems found.\n", 1, Symptom.CONFIG, "Problems found."),
        ("nginx -t", "[emerg] unknown directive\n", 1, Symptom.CONFIG, "unknown directive"),
    ],
    ids=["module", "prosody", "nginx"],
)  # fmt: skip
def test_configuration_that_is_wrong(
    machine: Machine,
    nodes: FakeNodes,
    to: str,
    answer: str,
    code: int,
    symptom: Symptom,
    text: str,
) -> None:
    nodes.says("jms", answer, to=to, code=code)
    (found,) = check_works(machine, ["jicofo", "jitsi-videobridge2", "jitsi-meet-prosody"])
    assert found.symptom is symptom
    assert text in found.text


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"units": {"jicofo.service": "failed"}}, "jicofo.service"),
        ({"stats": '{"bridge_selector": {"operational_bridge_count": 0}}'}, "jicofo.service"),
    ],
    ids=["died", "no bridge"],
)
def test_services_that_do_not_work(
    machine: Machine, nodes: FakeNodes, changed: dict[str, Any], subject: str
) -> None:
    node = machine.node
    nodes.says("jms", probe_answer(machine.lab.topology, node, **changed), to=PROBE)
    found = check_works(machine, ["jicofo", "jitsi-videobridge2"])
    assert {(each.symptom, each.subject) for each in found} == {(Symptom.NOT_READY, subject)}
    assert found[0].evidence == ("SEVERE: it broke",)


def test_coturn_must_run_where_its_package_is(machine: Machine, nodes: FakeNodes) -> None:
    nodes.says("jms", "failed\n", to="is-active coturn", code=3)
    (found,) = check_works(machine, ["jitsi-meet-turnserver"])
    assert (found.subject, found.package) == ("coturn.service", "jitsi-meet-turnserver")


def test_over_purged_again_and_back(machine: Machine, nodes: FakeNodes, tmp_path: Path) -> None:
    packaged = Packaged(machine.lab).settle(nodes)
    old: Any = FakeLarder(tmp_path, "1")
    new: Any = FakeLarder(tmp_path, "2")
    names = ["jicofo", "jitsi-videobridge2", "jitsi-meet-prosody"]
    scenario = upgrade_own(machine, old, new, names, progress=silent)
    assert [step.action for step in scenario.steps] == [
        Action.INSTALL, Action.UPGRADE, Action.PURGE, Action.REINSTALL, Action.DOWNGRADE,
    ]  # fmt: skip
    assert (scenario.ended, scenario.lost) == (None, 4.0)
    assert packaged.versions["jms"]["jicofo"] == "1"
    # Answers are given again after the purge; passwords are on standard input only.
    assert nodes.ran_on("jms", "debconf-set-selections")
    assert "password" not in nodes.ran_on("jms", "debconf-set-selections")[0].text


def test_what_a_purge_leaves_of_jitsi() -> None:
    fresh = Snapshot(files={"/etc/jitsi-old": "a"})
    after = Snapshot(
        files=dict.fromkeys(
            ("/etc/jitsi-old", "/etc/jitsi/x", "/etc/nginx/meet.lab.conf", "/etc/nginx/other"), "a"
        )
    )
    assert left_after_purge(fresh, after, domain="meet.lab") == [
        "/etc/jitsi/x",
        "/etc/nginx/meet.lab.conf",
    ]


def test_the_machine_is_one_node_of_the_same_domain() -> None:
    spec = machine_spec(Spec(lab="gate", jvbs=2, visitors=8, relays=True, turn=True), lab="bare")
    assert (spec.lab, spec.jvbs, spec.visitors, spec.relays, spec.turn) == (
        "bare", 0, 0, False, False,
    )  # fmt: skip
    assert spec.domain == Spec().domain
