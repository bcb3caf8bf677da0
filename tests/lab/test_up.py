"""`labctl up` from one end to the other, over machines and nodes that pretend."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.lab import current
from labctl.lab.up import Brought, bring_up
from labctl.ready.wait import NotReadyError
from labctl.render.secrets import load_secrets, now, save_secrets
from labctl.topology.lab import Lab
from labctl.topology.spec import Spec
from provision.facts import script
from provision.problem import ProvisionError
from tests.fakes.host import FakeHost
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import ANY, FakeNodes

SPEC = Spec(lab="demo", jvbs=1, visitors=2)
COLLECT = "section systemctl --failed"


@pytest.fixture(autouse=True)
def _current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    monkeypatch.setattr(current, "ensure_plain_vagrant", lambda *_: None)


@pytest.fixture
def hosts(lab: Lab, nodes: FakeNodes) -> dict[str, FakeHost]:
    """Fresh nodes of the lab that tell their logs when asked."""
    for node in lab.topology.nodes:
        nodes.says(node.name, {"journal": f"{node.name} said this\n"}, to=COLLECT)
    return {node.name: FakeHost.on(nodes, node.name) for node in lab.topology.nodes}


def up(lab: Lab, spec: Spec = SPEC) -> Brought:
    data = {"lab": spec.lab, "provider": "docker"}
    return bring_up(spec, data, workdir=lab.folder, progress=silent, refresh=False)


def test_a_lab_comes_up_and_a_second_up_does_nothing(lab: Lab, hosts: dict[str, FakeHost]) -> None:
    first = up(lab)
    assert list(first.timings.seconds)[-2:] == ["provision", "ready"]
    assert "prosody.service" in first.outcome.nodes["jms"].started
    assert hosts["visitors1"].active >= {"prosody-v@1.service", "prosody-v@2.service"}
    assert hosts["jvb1"].files["/etc/jitsi/videobridge/jvb.conf"].owner == "jvb"
    assert up(lab).outcome.empty


def test_a_key_that_changes_restarts_what_reads_it(lab: Lab, hosts: dict[str, FakeHost]) -> None:
    up(lab)
    outcome = up(lab, Spec(lab="demo", jvbs=1, visitors=2, max_participants=3)).outcome
    assert outcome.nodes["jms"].restarted == ("jicofo.service",)
    assert outcome.nodes["jvb1"].empty and outcome.nodes["visitors1"].empty


def test_a_unit_that_does_not_start_is_told_with_the_logs_of_all_nodes(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    nodes.says("jms", "inactive\tnginx.service\tfailed\n", to=script("units").text, code=1)
    with pytest.raises(ProvisionError, match=r"Unit 'nginx.service' is failed\.") as caught:
        up(lab)
    folder = caught.value.log
    assert folder is not None and folder.parent == lab.folder.logs
    assert sorted(path.stem for path in folder.iterdir()) == ["jms", "jvb1", "visitors1"]
    assert "jvb1 said this" in (folder / "jvb1.log").read_text()


def test_a_lab_that_does_not_get_ready_names_what_is_missing(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.lab.up.READY_SECONDS", 0.1)
    jms = probe_answer(lab.topology, lab.topology.jms, connections="v1\n")
    nodes.says("jms", jms, to=PROBE)
    nodes.says("jvb1", {}, to=PROBE, errors="bash: section: not found\n")
    with pytest.raises(NotReadyError) as caught:
        up(lab)
    assert "\n    vnodes: not registered: v2" in caught.value.message
    assert "\n    jvb1 answers: bash: section: not found" in caught.value.message
    assert "visitors1" not in caught.value.message


def test_what_a_killed_drill_left_is_undone_first(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    (lab.folder.path / "drill.json").write_text(
        '{"drill": "x", "undo": [{"node": "jvb1", "what": "y", "script": "nft flush ruleset"}]}'
    )
    nodes.says("jvb1", to="nft flush ruleset")
    up(lab)
    first = nodes.ran_on("jvb1")[0]
    assert (first.text, first.sudo) == ("nft flush ruleset", True)


def test_up_ends_a_rotation_that_was_interrupted(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    """Or the old secrets would be kept for ever beside the new ones."""
    nodes.says(ANY, "", to="grep -rlaFf")
    up(lab)
    known = load_secrets(lab.folder)
    save_secrets(lab.folder, known.rotated(["jvb"], now=now()))
    up(lab)
    settled = load_secrets(lab.folder)
    assert settled.jvb_password != known.jvb_password and not settled.retired
