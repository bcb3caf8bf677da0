"""Prove what can be proven of libvirt in seconds: a guest runs, and a network can be made.

A node that boots takes half a minute and more, so none is started.  The network is a transient one:
libvirt forgets it when it is stopped, and what a killed doctor left is stopped by the next one.
"""

from __future__ import annotations

import tempfile
from ipaddress import IPv4Network
from pathlib import Path

from labctl.core import process
from labctl.core.checks import Check, CheckStatus, refused
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.privilege import find_program
from labctl.core.progress import Progress
from labctl.host.network import prove_local
from labctl.host.trial import NODE_OFFSET, is_stale, spare_network, trial_bridge, trial_name
from labctl.providers.libvirt.daemon import answers
from labctl.providers.libvirt.virsh import URI, virsh
from labctl.providers.vm.accel import QEMU, boot_problem, find_accelerator
from labctl.topology.model import HOST_OFFSET

GUEST_SECONDS = 10.0
NETWORK, GUEST = "proof, network", "proof, guest"

XML = """\
<network>
  <name>{name}</name>
  <bridge name="{bridge}"/>
  <dns enable="no"/>
  <ip address="{gateway}" netmask="{netmask}"/>
</network>
"""


def prove_machines(progress: Progress) -> list[Check]:
    """Boot a minimal guest, and make, look at and remove a network."""
    if (why := _lacking()) is not None:
        hint = "'labctl doctor --fix' installs and starts what is missing."
        found = f"not proven: {why}"
        return [Check(GUEST, CheckStatus.WARN, found, hint, Finding.PROOF_OPEN)]
    progress("doctor", "booting a guest, and making a network ...")
    return [prove_guest(), prove_network()]


def _lacking() -> str | None:
    """Why nothing can be tried; None if it can."""
    if find_program(QEMU) is None:
        return "QEMU is not installed"
    problem = answers()
    return problem.message if problem is not None else None


def prove_guest() -> Check:
    """Boot QEMU's firmware and a boot sector in the way in which machines will run."""
    chosen = find_accelerator()
    problem = boot_problem(chosen.name, seconds=GUEST_SECONDS)
    if problem is None:
        found = f"a guest booted with {chosen}; no node was started, which takes longer"
        return Check(GUEST, CheckStatus.OK, found)
    hint = f"Run '{QEMU} -accel {chosen.name}' by hand to see what it says."
    return Check(GUEST, CheckStatus.FAIL, f"with {chosen}, {problem}", hint, Finding.NODE_BROKEN)


def prove_network() -> Check:
    """Make a network, prove that this machine owns its first address, and remove it."""
    remove_stale()
    name = trial_name()
    try:
        network = spare_network()
        with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
            file = Path(folder) / "network.xml"
            file.write_text(render_network(name, network), encoding="utf-8")
            try:
                virsh("net-create", str(file))
                prove_local([network[NODE_OFFSET]], network)
            finally:
                remove(name)
    except LabError as error:
        return refused(NETWORK, error, otherwise=Finding.NETWORK_REFUSED)
    return Check(NETWORK, CheckStatus.OK, "a network was made, belongs to this machine, is removed")


def render_network(name: str, network: IPv4Network) -> str:
    """libvirt's description of the network."""
    gateway, netmask = network[HOST_OFFSET], network.netmask
    return XML.format(name=name, bridge=trial_bridge(name), gateway=gateway, netmask=netmask)


def remove_stale() -> None:
    """Remove what a doctor that was killed has left."""
    for name in virsh("net-list", "--all", "--name").split():
        if is_stale(name):
            remove(name)


def remove(name: str) -> None:
    """Stop a transient network, which libvirt then forgets."""
    words = ["virsh", "--quiet", "--connect", URI, "net-destroy", name]
    process.run(words, check=False, timeout=30, stoppable=False)
