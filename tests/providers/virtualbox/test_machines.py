"""Whether a machine still fits its lab, and what the Vagrantfile is told."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.node.keys import ensure_keys
from labctl.providers.virtualbox.claims import Claim, save_claims
from labctl.providers.virtualbox.inventory import Machine, owns
from labctl.providers.virtualbox.machines import lab_macs, outdated, read_console, vagrant_data
from labctl.providers.virtualbox.removal import is_abandoned, is_master
from labctl.providers.virtualbox.seeds import render_network, seed_paths
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Role, Size, Spec
from labctl.topology.workdir import Workdir

SIZES = dict.fromkeys(Role, Size(memory_mib=2048, cpus=1))
TOPOLOGY = resolve(Spec(lab="demo", provider=ProviderName.VIRTUALBOX, visitors=0, sizes=SIZES))
TOPOLOGY = TOPOLOGY.with_images({role: f"labctl-{role}-1" for role in Role})
MAC = "0800271A2B3C"
JVB1 = Machine(
    id="7",
    name="labctl-demo-jvb1",
    state="stopped",
    memory_mib=2048,
    cpus=1,
    mac=MAC,
    hostonly=("vboxnet0",),
    seed="/x/.lab/demo/seeds/jvb1-1.iso",
    description="labctl image labctl-jvb-1",
    workdir="/x/.lab/demo",
    node="jvb1",
    address="192.168.56.106",
    image="labctl-jvb-1",
)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(JVB1, None, id="as wanted"),
        pytest.param(replace(JVB1, state="running"), None, id="running"),
        pytest.param(replace(JVB1, hostonly=("vboxnet9",)), None, id="interface"),
        pytest.param(replace(JVB1, node="jvb9"), "the lab no longer has this node", id="gone"),
        pytest.param(replace(JVB1, state="gurumeditation"), "it has crashed", id="crashed"),
        pytest.param(replace(JVB1, image="labctl-jvb-0"), "its image changed", id="image"),
        pytest.param(replace(JVB1, memory_mib=1), "its memory changed", id="memory"),
        pytest.param(replace(JVB1, cpus=9), "its CPUs changed", id="CPUs"),
        pytest.param(replace(JVB1, address="10.0.0.6"), "its address changed", id="address"),
        pytest.param(replace(JVB1, mac="080027000000"), "its address changed", id="MAC"),
        pytest.param(replace(JVB1, seed="/x/1.iso"), "its keys changed", id="seed"),
    ],
)
def test_what_makes_a_machine_outdated(found: Machine, why: str | None) -> None:
    assert outdated(found, TOPOLOGY, mac=MAC, seed=JVB1.seed) == why


def test_more_cpus_than_the_host_has_are_no_difference() -> None:
    many = replace(TOPOLOGY.node("jvb1"), size=Size(2048, 4096))
    found = replace(JVB1, cpus=os.cpu_count() or 1)
    changed = replace(TOPOLOGY, nodes=(many,))
    assert outdated(found, changed, mac=MAC, seed=JVB1.seed) is None


def test_a_machine_is_a_labs_by_folder_and_name(tmp_path: Path) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    ours = replace(JVB1, workdir=str(workdir.path))
    assert owns(workdir, ours)
    assert not owns(workdir, JVB1)
    assert not owns(workdir, replace(ours, name="labctl-demo-jvb1 Clone"))


def test_macs_are_virtualboxs_stable_and_of_one_folder(tmp_path: Path) -> None:
    here, there = Workdir.of("demo", root=tmp_path / "a"), Workdir.of("demo", root=tmp_path / "b")
    macs = lab_macs(Lab(here, TOPOLOGY))
    assert macs == lab_macs(Lab(here, TOPOLOGY))
    assert all(re.fullmatch("080027[0-9A-F]{6}", mac) for mac in macs.values())
    assert len({*macs.values(), *lab_macs(Lab(there, TOPOLOGY)).values()}) == 2 * len(
        TOPOLOGY.nodes
    )
    fewer = replace(TOPOLOGY, nodes=TOPOLOGY.nodes[1:])
    assert lab_macs(Lab(here, fewer)).items() <= macs.items()


def test_the_vagrantfile_is_told_all_that_it_needs(tmp_path: Path) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    ensure_keys(Lab(workdir, TOPOLOGY))
    save_claims({"vboxnet3": Claim(str(workdir.path), "192.168.56.0/24", made=True)})
    told = vagrant_data(Lab(workdir, TOPOLOGY))
    assert (told["hostonly"], told["netmask"]) == ("vboxnet3", "255.255.255.0")
    assert [*told["nodes"]] == ["jms", "jvb1", "jvb2"]
    macs = lab_macs(Lab(workdir, TOPOLOGY))
    assert told["nodes"]["jvb1"] == {
        "mac": macs["jvb1"],
        "seed": str(seed_paths(Lab(workdir, TOPOLOGY), macs=macs)["jvb1"]),
        "cpus": 1,
        "console": f"{workdir.path}/logs/console-jvb1.log",
    }


def test_a_seed_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    ensure_keys(Lab(workdir, TOPOLOGY))
    macs = lab_macs(Lab(workdir, TOPOLOGY))
    before = seed_paths(Lab(workdir, TOPOLOGY), macs=macs)
    assert before == seed_paths(Lab(workdir, TOPOLOGY), macs=macs)
    (workdir.ssh / "nodes" / "jvb1" / "authorized_keys").write_text("another\n")
    after = seed_paths(Lab(workdir, TOPOLOGY), macs={**macs, "jvb2": MAC})
    assert [name for name in before if before[name] != after[name]] == ["jvb1", "jvb2"]


def test_the_lab_adapter_is_found_by_its_mac_and_has_the_nodes_address() -> None:
    text = render_network(TOPOLOGY.node("jvb1"), TOPOLOGY, mac=MAC)
    assert "MACAddress=08:00:27:1a:2b:3c\n" in text
    assert "Address=192.168.56.106/24\n" in text
    assert "Gateway" not in text


def test_a_console_is_its_last_lines(tmp_path: Path) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    assert read_console(workdir, "jms") == ""
    workdir.logs.mkdir(parents=True)
    lines = [f"line {i}" for i in range(100)]
    workdir.console("jms").write_bytes(b"\xff\n" + "\r\n".join(lines).encode())
    assert read_console(workdir, "jms").splitlines() == lines[-40:]


@pytest.mark.parametrize(
    ("name", "seconds", "abandoned"),
    [
        ("temp_clone_1795278345000_123", 601, True),
        ("temp_clone_1795278345000_123", 599, False),
        ("labctl-demo-jms", 9999, False),
        ("temp_clone_of_mine", 9999, False),
    ],
)
def test_a_temporary_name_is_abandoned_after_a_while(
    name: str, seconds: float, abandoned: bool
) -> None:
    assert is_abandoned(name, now=1795278345 + seconds) is abandoned


def test_a_master_is_known_by_its_image_and_vagrants_numbers() -> None:
    master = replace(JVB1, name="labctl-jvb-1_1795278345000_123")
    assert is_master(master, "labctl-jvb-1")
    assert not is_master(master, "labctl-jvb-1_1795278345000")
    assert not is_master(JVB1, "labctl-jvb-1")
