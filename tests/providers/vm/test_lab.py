"""A lab of virtual machines, end to end, as a user goes: build, up, look, verify, halt, destroy.

JMS and one bridge with two visitor Prosodies, real systemd on real kernels.  The tests share one
lab and go in this order; without KVM all of it is emulated, which takes a quarter of an hour.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.libvirt import daemon, volumes
from labctl.providers.libvirt.domains import domain_name, read_domains, read_states
from labctl.providers.libvirt.machines import clean, read_console, start
from labctl.providers.libvirt.network import check_free, network_name, read_networks
from labctl.providers.libvirt.virsh import virsh
from labctl.topology import lab as value
from labctl.topology.workdir import Workdir, state_dir
from tests.labs.conftest import ROOT, Lab

pytestmark = pytest.mark.vm

NAME = "vmtest"
WISHES = (
    *("--provider", "libvirt", "--packages", "stand-ins", "--network", "192.168.56.0/24"),
    *("--jvbs", "1", "--visitors", "2", "--visitors-layout", "local"),
)


@pytest.fixture(scope="session")
def vms() -> Iterator[Lab]:
    """The lab, ready."""
    lab = Lab(NAME, ROOT / ".lab" / NAME)
    if (lab.path / "topology.json").is_file():
        lab.run("destroy")
    ended = lab.run("up", *WISHES, timeout=3000)
    assert "is media-ready after" in ended.out
    # For the run's log: what was baked, and how long each phase took.
    os.write(2, f"\n{ended.err[-6000:]}\n{ended.out}".encode())
    yield lab
    if not os.environ.get("LABCTL_KEEP"):
        lab.run("destroy", check=False)


def test_status_shows_real_kernels_and_a_healthy_lab(vms: Lab) -> None:
    status = vms.run("status", "--json").json()
    assert status["healthy"], status["missing"]
    assert [node["name"] for node in status["nodes"]] == ["jms", "jvb1"]
    assert [bridge["operational"] for bridge in status["bridges"]] == [True, True]
    assert [vnode["registered"] for vnode in status["vnodes"]] == [True, True]
    assert "own kernel" in vms.run("status").out


def test_nodes_are_machines_with_one_adapter_in_a_network_that_leads_nowhere(vms: Lab) -> None:
    script = (
        "systemd-detect-virt --vm; ip -br -4 addr; ip route; cat /proc/sys/kernel/random/boot_id"
    )
    said = {node: vms.run("exec", node, "--", "sh", "-c", script).out for node in ("jms", "jvb1")}
    for node, address in (("jms", "192.168.56.105"), ("jvb1", "192.168.56.106")):
        assert re.match(r"kvm|qemu", said[node])
        assert re.findall(r"^eth\S+ +UP +(\S+)", said[node], re.M) == [f"{address}/24"]
        assert "default" not in said[node]
    boots = {text.splitlines()[-1] for text in said.values()}
    assert len(boots) == 2


def test_fast_suite_passes(vms: Lab) -> None:
    ended = vms.run("verify", "-m", "not slow", check=False, timeout=1200)
    os.write(2, ended.out[-400:].encode())
    assert ended.code == 0, ended.out[-6000:]
    assert " passed" in ended.out


def test_a_second_up_restarts_nothing(vms: Lab) -> None:
    before = vms.starts()
    vms.run("up")
    assert vms.starts() == before


def test_another_lab_cannot_have_the_same_addresses(vms: Lab) -> None:
    other = Lab("vmother", ROOT / ".lab" / "vmother")
    ended = other.run("up", *WISHES, check=False)
    assert ended.code == 1
    assert f"is already taken by the libvirt network '{network_name(NAME)}'" in ended.err
    assert str(vms.path) in ended.err
    assert not other.path.exists()
    with pytest.raises(LabError, match="belongs to the lab in"):
        check_free(value.Lab(Workdir(ROOT / "elsewhere" / NAME), Workdir.of(NAME).load_topology()))


def spoil_base(node: str) -> None:
    """Leave the base volume of a node's image as a Vagrant that was killed in its upload does."""
    image = Workdir.of(NAME).load_topology().node(node).image
    virsh("vol-delete", volumes.base_volume(image), "--pool", volumes.POOL)
    words = ("--capacity", "8G", "--allocation", "0", "--format", "qcow2")
    virsh("vol-create-as", volumes.POOL, volumes.base_volume(image), *words)
    (state_dir() / "libvirt-volumes" / volumes.base_volume(image)).unlink()


def test_a_node_that_was_removed_is_made_anew_on_a_whole_disk(vms: Lab) -> None:
    before = vms.run("exec", "jms", "--", "uptime", "-s").out
    virsh("destroy", domain_name(NAME, "jvb1"))
    assert read_states(Workdir.of(NAME)) == {"jms": "running", "jvb1": "stopped"}
    virsh("undefine", domain_name(NAME, "jvb1"))
    spoil_base("jvb1")
    status = vms.run("status", "--json", check=False).json()
    assert {node["name"]: node["machine"] for node in status["nodes"]} == {
        "jms": "running",
        "jvb1": "not_created",
    }
    # Less than the 924 s for which Prosody would hold the session of the machine that went.
    vms.run("up", timeout=800)
    assert vms.run("status", "--json").json()["healthy"]
    assert vms.run("exec", "jms", "--", "uptime", "-s").out == before


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="the daemon is systemd's")
def test_a_daemon_that_ended_is_started_again_and_machines_do_not_notice(vms: Lab) -> None:
    # Only this one: its companion keeps the machines' consoles.
    subprocess.run(["pkill", "-x", "libvirtd"], check=True)
    wait_until(lambda: daemon.answers() is not None, deadline=Deadline.after(20), interval=0.2)
    ended = vms.run("status")
    assert "starting the libvirt daemon" in ended.err
    assert "'vmtest' (libvirt, meet.lab.internal, 192.168.56.0/24): healthy" in ended.out
    before = {node: vms.run("exec", node, "--", "uptime", "-s").out for node in ("jms", "jvb1")}
    vms.run("up")
    assert before == {node: vms.run("exec", node, "--", "uptime", "-s").out for node in before}


def test_halt_presses_the_power_button(vms: Lab) -> None:
    vms.run("halt")
    assert read_states(Workdir.of(NAME)) == {"jms": "stopped", "jvb1": "stopped"}
    assert "reboot: Power down" in read_console(Workdir.of(NAME), "jms")
    start(Workdir.of(NAME), ["jvb1"])
    assert read_states(Workdir.of(NAME)) == {"jms": "stopped", "jvb1": "running"}


def test_the_end_leaves_nothing(vms: Lab) -> None:
    vms.run("destroy")
    assert not vms.path.exists()
    assert [domain.name for domain in read_domains() if NAME in domain.name] == []
    assert [network.name for network in read_networks() if NAME in network.name] == []
    assert [name for name in volumes.volume_names() if NAME in name] == []
    # Again, on nothing: no error, no change.
    clean(Workdir.of(NAME))
