"""`labctl rebuild`: single nodes anew, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.lab.prepare import render_lab
from labctl.lab.rebuild import rebuild
from labctl.providers.vagrant import VagrantMachines
from labctl.ready.wait import NotReadyError
from labctl.topology.lab import Lab
from tests.fakes.host import FakeHost
from tests.fakes.lab import PROBE, pretend_machines, probe_answer
from tests.fakes.nodes import FakeNodes
from tests.nullprovider import NullProvider


class Watched(NullProvider):
    """Remembers which machines it was told that Vagrant knows."""

    def prepare(self, lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
        self.said.append(f"knows {' '.join(sorted(known))}")
        return {}


@pytest.fixture
def whole(lab: Lab) -> Lab:
    """The lab with images, rendered."""
    nodes = tuple(replace(node, image="image") for node in lab.topology.nodes)
    found = replace(lab, topology=replace(lab.topology, nodes=nodes))
    render_lab(found)
    return found


def test_only_the_named_node_is_provisioned(whole: Lab, nodes: FakeNodes) -> None:
    host = FakeHost.on(nodes, "jvb1")
    timings = rebuild(whole, ["jvb1"], progress=silent)
    assert list(timings.seconds) == ["machines", "provision", "ready"]
    assert "/etc/jitsi/videobridge/jvb.conf" in host.files
    assert {ran.node for ran in nodes.ran if not ran.asks(PROBE)} == {"jvb1"}


def test_what_is_wrong_with_other_nodes_is_not_waited_for(
    whole: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.lab.rebuild.READY_SECONDS", 0.1)
    FakeHost.on(nodes, "jvb1")
    nodes.says("visitors1", {}, to=PROBE, errors="broken\n")
    rebuild(whole, ["jvb1"], progress=silent)
    topology = whole.topology
    nodes.says("jvb1", probe_answer(topology, topology.node("jvb1"), ports=""), to=PROBE)
    with pytest.raises(NotReadyError, match="jvb1 ports: nothing listens"):
        rebuild(whole, ["jvb1"], progress=silent)


def test_a_lab_without_machines_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="was only rendered"):
        rebuild(lab, ["jvb1"], progress=silent)


def test_the_provider_removes_what_vagrant_is_said_not_to_know(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_machines(monkeypatch, lab.topology)
    provider = Watched(states={node.name: "running" for node in lab.topology.nodes})
    for name in ("jms", "jvb1"):
        file = lab.folder.vagrant / "machines" / name / "docker" / "id"
        file.parent.mkdir(parents=True)
        file.write_text(f"id of {name}")
    machines = VagrantMachines(lab)
    monkeypatch.setattr(machines, "_provider", provider)
    machines.up()
    machines.rebuild(["jvb1"])
    assert [said for said in provider.said if said.startswith("knows")] == [
        "knows jms jvb1",
        "knows jms",
    ]
