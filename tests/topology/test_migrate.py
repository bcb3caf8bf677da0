"""Topologies of every format so far are read as what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labctl.core.state import Flaw, StateError, read_state
from labctl.spec import load_spec
from labctl.topology.layout import resolve
from labctl.topology.migrate import MACHINES, TOPOLOGY, read_topology
from labctl.topology.model import Topology
from labctl.topology.spec import Role, Size
from labctl.topology.workdir import Workdir
from tests.samples import SAMPLES

IMAGES = {
    Role.JMS: "labctl-jms:0123456789ab",
    Role.JVB: "labctl-jvb:1123456789ab",
    Role.VISITORS: "labctl-visitors:2123456789ab",
}
FLAGS: dict[str, dict[str, Any]] = {
    "containers": {"jvbs": "1", "visitors": "2", "network": "192.168.68.0/24"},
    "machines": {
        "provider": "libvirt",
        "jvbs": "2",
        "visitors": "10",
        "relays": True,
        "turn": True,
        "domain": "meet.example.org",
        "max-participants": "5",
    },
    "local": {
        "visitors-layout": "local",
        "visitors": "3",
        "jvbs": "0",
        "packages": "stand-ins",
    },
}
"""What `labctl up` was told when the samples were written."""


def wanted(name: str) -> Topology:
    spec, _ = load_spec(None, {**FLAGS[name], "lab": name})
    return resolve(spec).with_images(IMAGES)


def sample(name: str) -> dict[str, Any]:
    path = SAMPLES / "labs" / name / "topology.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", FLAGS)
def test_format_1_becomes_what_the_same_wishes_make_today(name: str) -> None:
    assert sample(name)["format"] == 1
    assert read_topology(sample(name), source="x") == wanted(name)


@pytest.mark.parametrize("name", FLAGS)
def test_the_vagrantfile_finds_the_same_in_both_formats(name: str) -> None:
    old, new = sample(name), wanted(name).to_json()
    assert {key: old[key] for key in ("lab", "hosts", "nodes", "network")} == {
        key: new[key] for key in ("lab", "hosts", "nodes", "network")
    }


def test_a_lab_is_written_back_in_the_present_format(tmp_path: Path) -> None:
    workdir = Workdir.of("machines", root=tmp_path)
    workdir.path.mkdir(parents=True)
    workdir.topology_file.write_text(json.dumps(sample("machines")))
    workdir.save_topology(workdir.load_topology())
    assert json.loads(workdir.topology_file.read_text())["format"] == TOPOLOGY.format == 2
    assert workdir.load_topology() == wanted("machines")


@pytest.mark.parametrize("data", [sample("machines"), wanted("machines").to_json() | {"format": 2}])
def test_a_topology_without_jms_says_that(data: dict[str, Any]) -> None:
    jvbs = [node for node in data["nodes"] if node["role"] != "jms"]
    with pytest.raises(StateError, match=r": it has no JMS\."):
        read_topology({**data, "nodes": jvbs}, source="x")


def test_an_old_lab_keeps_its_sizes_and_vnodes_per_machine() -> None:
    data = sample("machines")
    nodes = [dict(node) for node in data["nodes"]]
    apart = [node for node in nodes if node["role"] == "visitors"]
    assert len(apart) == 2
    apart[0]["vnodes"], apart[1]["vnodes"] = [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]
    for node in nodes:
        node.pop("turn", None)
        if node["role"] == "jvb":
            node["cpus"], node["memory_mib"] = 3, 3000
    spec = read_topology({**data, "nodes": nodes}, source="x").spec
    assert (spec.visitors_per_node, spec.turn) == (5, False)
    assert spec.sizes == {Role.JVB: Size(memory_mib=3000, cpus=3)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"nodes": []}, id="no nodes"),
        pytest.param({"nodes": None}, id="nodes lost"),
        pytest.param({"provider": "cloud"}, id="no such provider"),
        pytest.param({"network": {}}, id="network lost"),
        pytest.param({"packages": None}, id="packages lost"),
    ],
)
def test_an_old_topology_may_be_damaged_too(change: dict[str, Any]) -> None:
    with pytest.raises(StateError, match="'x' is damaged and cannot be read") as caught:
        read_topology({**sample("machines"), **change}, source="x")
    assert caught.value.flaw is Flaw.DAMAGED


def test_machines_of_the_first_format(tmp_path: Path) -> None:
    workdir = Workdir.of("machines", root=tmp_path)
    workdir.path.mkdir(parents=True)
    text = (SAMPLES / "labs" / "machines" / "machines.json").read_text(encoding="utf-8")
    workdir.machines_file.write_text(text)
    facts = workdir.load_machines()
    assert (facts.patience.factor, facts.accelerator) == (8.0, "software emulation")
    workdir.save_machines(json.loads(text))
    assert json.loads(workdir.machines_file.read_text())["format"] == MACHINES.format
    assert workdir.load_machines() == facts


@pytest.mark.parametrize(
    ("text", "factor"),
    [("{}", 1.0), ('{"patience": 0.5}', 1.0), ('{"patience": 1.5}', 1.5), ('{"patience": 3}', 3.0)],
)
def test_patience_is_never_less_than_one(text: str, factor: float) -> None:
    facts = read_state({**json.loads(text), "format": 1}, MACHINES, path=Path("x"))
    assert (facts.patience.factor, facts.accelerator) == (factor, "")


@pytest.mark.parametrize("patience", ["much", True, None])
def test_patience_is_a_number(patience: object) -> None:
    with pytest.raises(StateError, match=f"patience is {patience!r}, not a number"):
        read_state({"patience": patience, "format": 1}, MACHINES, path=Path("x"))
