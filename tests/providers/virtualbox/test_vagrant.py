"""The Vagrantfile's VirtualBox part, run by the real Vagrant up to the missing kernel driver.

Really executed: Vagrant (this machine's), and by it and by labctl's own code the real VBoxManage
7.2 of `box.py` in this folder: import, snapshot, linked clone, names, adapters, customisations,
the attached seed, the host-only interface's address and DHCP, `startvm` as far as it goes,
removal.

Answered by the stand-in: `--version` (7.0, for Vagrant 2.3.4), and `hostonlyif create` and `remove`
by a bridge of the same name.  Not executed at all: a machine that runs.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.node.keys import ensure_keys
from labctl.node.ssh import ensure_config
from labctl.providers.command import describe_failure
from labctl.providers.virtualbox import machines, network
from labctl.providers.virtualbox.claims import Claim, load_claims, save_claims
from labctl.providers.virtualbox.inventory import (
    description_of,
    lab_machines,
    list_names,
    machine_name,
    read_machines,
)
from labctl.providers.virtualbox.manage import parse_extradata, parse_info
from labctl.providers.virtualbox.messages import DIED
from labctl.providers.virtualbox.provider import VirtualBoxProvider
from labctl.providers.virtualbox.removal import remove_machine, remove_masters
from labctl.providers.virtualbox.seeds import seed_paths
from labctl.providers.vm.ovf import BASE_MAC
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import ProviderName, Role, Size, Spec
from labctl.topology.workdir import ROOT, Workdir
from tests.providers.virtualbox.box import VirtualBox
from tests.providers.virtualbox.conftest import REFERENCE, Box, need

pytestmark = [pytest.mark.engine, pytest.mark.virtualbox, pytest.mark.slow]

NODES = ("jms", "jvb1")
# Another size than the box's, so that it is the Vagrantfile that has set it.
SIZE = Size(memory_mib=768, cpus=1)


@dataclass(frozen=True)
class Made:
    """A lab of two nodes after a `vagrant up` that came as far as it can."""

    workdir: Workdir
    topology: Topology
    folder: Path
    path: str
    said: str

    @property
    def lab(self) -> Lab:
        return Lab(self.workdir, self.topology)

    def vagrant(self, *words: str, programs: Path | None = None) -> str:
        """What a Vagrant command said, both streams together."""
        path = f"{programs}:{self.path}" if programs else self.path
        env = {
            "PATH": path,
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "LABCTL_WORKDIR": str(self.workdir.path),
            "VAGRANT_DOTFILE_PATH": str(self.workdir.vagrant),
            "VAGRANT_DEFAULT_PROVIDER": "virtualbox",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
        }
        done = subprocess.run(
            ["vagrant", *words],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        return done.stdout

    @property
    def seeds(self) -> dict[str, Path]:
        macs = machines.lab_macs(self.lab)
        return seed_paths(self.lab, macs=macs)

    @property
    def known(self) -> dict[str, str]:
        """The machine ids that Vagrant remembers."""
        files = self.workdir.vagrant.glob("machines/*/virtualbox/id")
        return {file.parent.parent.name: file.read_text() for file in files}


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def lab(virtualbox: VirtualBox, box: Box, patched: pytest.MonkeyPatch, runtime: Path) -> Made:
    """labctl's own preparations, then `vagrant up` of two nodes of one image."""
    need("vagrant")
    need("xorriso")
    folder = virtualbox.folder
    patched.setenv("PATH", virtualbox.path)
    patched.setenv("XDG_STATE_HOME", str(folder / "state"))
    patched.setenv("XDG_RUNTIME_DIR", str(runtime))
    sizes = dict.fromkeys(Role, SIZE)
    spec = Spec(lab="demo", provider=ProviderName.VIRTUALBOX, jvbs=1, visitors=0, sizes=sizes)
    topology = resolve(spec).with_images(dict.fromkeys(Role, REFERENCE))
    workdir = Workdir.of("demo", root=folder)
    workdir.save_topology(topology)
    ensure_keys(Lab(workdir, topology))
    ensure_config(Lab(workdir, topology))
    assert machines.prepare(Lab(workdir, topology), {}) == {}
    workdir.save_machines(machines.vagrant_data(Lab(workdir, topology)))
    lab = Made(workdir, topology, folder, virtualbox.path, "")
    lab.vagrant("box", "add", "--name", REFERENCE, str(box.file))
    virtualbox.log.write_text("")
    # One call per node: the first that cannot be started ends the whole call.
    said = "".join(lab.vagrant("up", name, "--provider", "virtualbox") for name in NODES)
    return replace(lab, said=said)


@pytest.fixture(autouse=True)
def _state_of_the_lab(lab: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests follow each other on one lab, and so on one state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(lab.folder / "state"))


def settings_of(virtualbox: VirtualBox, node: str) -> dict[str, str]:
    said = virtualbox.manage("showvminfo", machine_name("demo", node), "--machinereadable")
    return parse_info(said)


def test_only_the_missing_driver_stops_vagrant(lab: Made, virtualbox: VirtualBox) -> None:
    assert lab.said.count("has terminated unexpectedly during startup") == len(NODES), lab.said
    assert "A customization command failed" not in lab.said
    calls = virtualbox.log.read_text().splitlines()
    last = [line.split()[0] for line in calls if not line.startswith("showvminfo")][-1]
    assert last == "startvm"
    assert not [line for line in calls if line.startswith("hostonlyif")]


@pytest.mark.parametrize("node", NODES)
def test_a_machine_is_what_the_topology_says(node: str, lab: Made, virtualbox: VirtualBox) -> None:
    info, wanted = settings_of(virtualbox, node), lab.topology.node(node)
    assert {
        "name": f"labctl-demo-{node}",
        "description": description_of(REFERENCE),
        "memory": str(SIZE.memory_mib),
        "cpus": str(SIZE.cpus),
        "paravirtprovider": "kvm",
        "rtcuseutc": "on",
        "ioapic": "on",
        "graphicscontroller": "vmsvga",
        "vram": "16",
        "audio": "none",
        "usb": "off",
        "ehci": "off",
        "xhci": "off",
        "boot1": "disk",
        "boot2": "none",
        "nic1": "nat",
        "nictype1": "virtio",
        "macaddress1": BASE_MAC,
        "nic2": "hostonly",
        "nictype2": "virtio",
        "macaddress2": machines.lab_macs(lab.lab)[node],
        "cableconnected2": "on",
        "hostonlyadapter2": "vboxnet0",
        "nic3": "none",
        "uart1": "0x03f8,4",
        "uartmode1": f"file,{lab.workdir.logs}/console-{node}.log",
        "SATA-1-0": str(lab.seeds[node]),
    }.items() <= info.items(), info
    said = virtualbox.manage("getextradata", machine_name("demo", node), "enumerate")
    assert parse_extradata(said) == {
        "labctl/workdir": str(lab.workdir.path),
        "labctl/node": node,
        "labctl/address": str(wanted.address),
        "labctl/image": REFERENCE,
    }


def test_machines_are_linked_clones_of_one_master(lab: Made, virtualbox: VirtualBox) -> None:
    parents = set()
    for node in NODES:
        medium = settings_of(virtualbox, node)["SATA-ImageUUID-0-0"]
        shown = virtualbox.manage("showmediuminfo", "disk", medium)
        (parent,) = [line.split()[-1] for line in shown.splitlines() if "Parent UUID" in line]
        parents.add(parent)
    assert len(parents) == 1
    assert "base" not in parents


def test_a_master_with_clones_stays(lab: Made) -> None:
    with pytest.raises(LabError, match="'labctl-demo-jms', 'labctl-demo-jvb1'"):
        remove_masters(REFERENCE)
    assert len(read_machines()) == 1 + len(NODES)


def test_the_host_has_its_address_and_no_dhcp(lab: Made, virtualbox: VirtualBox) -> None:
    (interface,) = network.parse_interfaces(virtualbox.manage("list", "hostonlyifs"))
    assert (interface.name, str(interface.address)) == ("vboxnet0", "192.168.56.1/24")
    assert network.parse_dhcp(virtualbox.manage("list", "dhcpservers")) == {}
    assert [*load_claims()] == ["vboxnet0"]
    assert machines.check_network(lab.lab) == "vboxnet0"


def test_labctl_sees_the_machines_as_vagrant_does(lab: Made) -> None:
    assert machines.read_states(lab.workdir) == dict.fromkeys(NODES, "stopped")
    status = lab.vagrant("status")
    for node in NODES:
        assert f"{node:<26}poweroff (virtualbox)" in status
    assert {one.node: one.id for one in lab_machines(lab.workdir)} == lab.known


def test_a_second_preparation_changes_nothing(lab: Made, virtualbox: VirtualBox) -> None:
    virtualbox.log.write_text("")
    assert machines.prepare(lab.lab, lab.known) == {}
    verbs = {line.split()[0] for line in virtualbox.log.read_text().splitlines()}
    assert verbs == {"list", "showvminfo", "getextradata"}


def test_starting_without_the_driver_says_what_to_do(lab: Made) -> None:
    with pytest.raises(LabError) as caught:
        machines.start(lab.workdir, ["jms"])
    assert (caught.value.message, caught.value.hint) == (DIED.message, DIED.hint)


def test_vagrants_own_failure_says_what_to_do(lab: Made) -> None:
    error = describe_failure(
        lab.said, log=Path("vagrant.log"), explain=VirtualBoxProvider().explain
    )
    assert (error.message, error.hint) == (DIED.message, DIED.hint)


def test_another_lab_does_not_get_the_interface(lab: Made, tmp_path: Path) -> None:
    other = Workdir.of("other", root=tmp_path)
    other.path.mkdir(parents=True)
    with pytest.raises(LabError, match=f"belongs to the lab in '{lab.workdir.path}'"):
        spec = replace(lab.topology.spec, lab="other")
        machines.check_network(Lab(other, replace(lab.topology, spec=spec)))


def test_a_lab_of_the_same_name_elsewhere_does_not_get_the_machines(
    lab: Made, tmp_path: Path
) -> None:
    twin = Workdir.of("demo", root=tmp_path)
    twin.path.mkdir(parents=True)
    assert machines.read_states(twin) == {}
    with pytest.raises(LabError, match="'labctl-demo-jms' belongs to the lab in"):
        machines.prepare(Lab(twin, lab.topology), {})


def test_vagrant_does_not_wait_and_its_ssh_is_the_labs(lab: Made, virtualbox: VirtualBox) -> None:
    """With answers for `startvm` and for the state, and `ssh` noting what it is called with."""
    programs = lab.folder / "pretended"
    programs.mkdir()
    manage = programs / "VBoxManage"
    manage.write_text(
        f"""#!/bin/sh
case "$1" in
startvm) touch '{programs}/on' ;;
controlvm) rm '{programs}/on' ;;
showvminfo)
    [ ! -e '{programs}/on' ] || state='s/="poweroff"/="running"/'
    '{virtualbox.programs}/VBoxManage' "$@" >"{programs}/shown.$$" || exit $?
    sed "${{state:-}}" "{programs}/shown.$$"
    ;;
*) exec '{virtualbox.programs}/VBoxManage' "$@" ;;
esac
"""
    )
    ssh = programs / "ssh"
    ssh.write_text(
        f"""#!/bin/sh
printf '%s\\n' "$*" >>'{programs}/ssh.log'
case "$*" in *poweroff*) rm '{programs}/on' ;; esac
"""
    )
    for program in (manage, ssh):
        program.chmod(0o755)
    said = lab.vagrant("up", "jms", programs=programs)
    assert (programs / "on").exists(), said
    assert "rror" not in said
    config = lab.vagrant("ssh-config", "jms", programs=programs)
    assert f"HostName {lab.topology.node('jms').address}\n" in config
    assert f"IdentityFile {lab.workdir.ssh}/id_ed25519\n" in config
    lab.vagrant("ssh", "jms", "--command", "hostname", programs=programs)
    lab.vagrant("halt", "jms", programs=programs)
    assert not (programs / "on").exists()
    first, *others = (programs / "ssh.log").read_text().splitlines()
    assert str(lab.topology.node("jms").address) in first
    assert "'hostname'" in first
    assert f"-F {lab.workdir.ssh}/config jms sudo -n -- sh -c systemctl\\ poweroff" in others


def test_what_does_not_fit_is_made_anew(lab: Made) -> None:
    node = replace(lab.topology.node("jvb1"), size=Size(memory_mib=1024, cpus=1))
    changed = replace(lab.topology, nodes=(lab.topology.jms, node))
    removed = machines.prepare(Lab(lab.workdir, changed), lab.known)
    assert removed == {"jvb1": "its memory changed"}
    assert machines.read_states(lab.workdir) == {"jms": "stopped"}
    assert lab.seeds["jvb1"].is_file()


def test_what_killed_calls_left_is_removed(lab: Made, virtualbox: VirtualBox) -> None:
    (master,) = [one for one in read_machines() if one.name.startswith(REFERENCE)]
    now = int(time.time() * 1000)
    names = {"old": "temp_clone_1000000000000_1", "fresh": f"temp_clone_{now}_2"}
    names["known"] = f"temp_clone_{now}_3"
    for name in names.values():
        # As Vagrant makes them, before it gives them their names.
        linked = ("--snapshot", "base", "--options", "link")
        virtualbox.manage("clonevm", master.id, "--register", "--name", name, *linked)
    ids = {machine.name: machine.id for machine in read_machines()}
    known = {"jms": lab.known["jms"], "jvb1": ids[names["known"]]}
    assert machines.prepare(lab.lab, known) == {"jvb1": "an earlier run was interrupted"}
    left = {machine.name for machine in read_machines()}
    # A fresh one may be another lab's that is just being made.
    assert left == {master.name, names["fresh"], "labctl-demo-jms"}
    remove_machine(ids[names["fresh"]])


def test_a_machine_whose_files_are_gone_is_forgotten(lab: Made, virtualbox: VirtualBox) -> None:
    virtualbox.manage("createvm", "--name", "lost", "--register")
    (lost,) = [machine for machine in read_machines() if machine.name == "lost"]
    virtualbox.inside("rm", "-r", virtualbox.folder / "machines" / "lost")
    # VirtualBox's service notices when it starts anew.
    service = virtualbox.inside("pgrep", "-x", "VBoxSVC").strip()
    virtualbox.inside("sh", "-c", f"kill {service} && tail --pid={service} -f /dev/null")
    assert list_names()[lost.id] == ""
    known = {"jms": lab.known["jms"], "jvb1": lost.id}
    assert machines.prepare(lab.lab, known) == {"jvb1": "its files are gone"}
    assert lost.id not in list_names()


def test_after_the_hosts_restart_machines_follow_their_network(
    lab: Made, virtualbox: VirtualBox
) -> None:
    """Interfaces are gone then, and whoever comes first gets the old name."""
    virtualbox.inside("ip", "link", "del", "vboxnet0")
    virtualbox.inside("ip", "link", "add", "vboxnet0", "type", "bridge")
    address = ("--ip", "192.168.60.1", "--netmask", "255.255.255.0")
    virtualbox.manage("hostonlyif", "ipconfig", "vboxnet0", *address)
    assert machines.prepare(lab.lab, lab.known) == {}
    assert settings_of(virtualbox, "jms")["hostonlyadapter2"] == "vboxnet1"
    assert network.interface_name(lab.workdir) == "vboxnet1"
    assert [*load_claims()] == ["vboxnet1"]


def test_an_interface_that_is_another_one_now_stays(
    lab: Made, virtualbox: VirtualBox, tmp_path: Path
) -> None:
    other, claims = Workdir.of("other", root=tmp_path), load_claims()
    claim = Claim(str(other.path), "192.168.56.0/24", made=True)
    save_claims({**claims, "vboxnet0": claim})
    network.remove_interface(other)
    assert load_claims() == claims
    assert "vboxnet0" in virtualbox.manage("list", "hostonlyifs")


def test_cleaning_leaves_the_master_only_and_then_nothing(
    lab: Made, virtualbox: VirtualBox
) -> None:
    assert machines.read_states(lab.workdir) == {"jms": "stopped"}
    machines.clean(lab.workdir)
    assert machines.read_states(lab.workdir) == {}
    assert "rror" not in lab.vagrant("destroy", "--force")
    assert lab.known == {}
    interfaces = network.parse_interfaces(virtualbox.manage("list", "hostonlyifs"))
    assert [interface.name for interface in interfaces] == ["vboxnet0"]
    assert load_claims() == {}
    assert [one.name.rsplit("_", 2)[0] for one in read_machines()] == [REFERENCE]
    assert remove_masters(REFERENCE) == 1
    assert virtualbox.manage("list", "vms").strip() == ""
    left = [path for path in (lab.folder / "machines").rglob("*") if path.is_file()]
    assert not [path for path in left if path.stat().st_size > 1 << 20], left
    assert not lab.seeds["jms"].parent.exists()
