"""The domains of a lab: what libvirt has, who owns it, and what it was made from."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labctl.providers.libvirt.virsh import ask, virsh
from labctl.topology.workdir import Workdir

STATES = {"running": "running", "shut off": "stopped", "crashed": "stopped"}
"""libvirt's domain states -> Vagrant's words; other states stay as they are."""

DESCRIPTION = re.compile(r"labctl image=(\S+) seed=(\S+) lab=(.+)")


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of a lab.  Memory is in MiB; `files` are the disks and volumes that it uses."""

    name: str
    uuid: str
    image: str
    seed: str
    owner: str
    memory_mib: int
    cpus: int
    mac: str
    files: tuple[str, ...]


def domain_name(lab: str, node: str) -> str:
    """The name that vagrant-libvirt builds from `default_prefix` and the machine's name."""
    return f"{prefix(lab)}{node}"


def prefix(lab: str) -> str:
    return f"labctl-{lab}-"


def describe(*, image: str, seed: str, owner: Path) -> str:
    """The domain's description, by which labctl recognises it."""
    return f"labctl image={image} seed={seed} lab={owner.resolve()}"


def read_states(workdir: Workdir) -> dict[str, str]:
    """The state of each domain of the lab, by node.

    Another checkout's lab of the same name has domains of the same names; they are left out.
    """
    here = str(workdir.path.resolve())
    states = parse_states(virsh("list", "--all"), lab=workdir.lab)
    found = read_domains(domain_name(workdir.lab, node) for node in states)
    mine = {domain.name for domain in found if domain.owner == here}
    return {node: it for node, it in states.items() if domain_name(workdir.lab, node) in mine}


def parse_states(text: str, *, lab: str) -> dict[str, str]:
    """The state of each domain with the lab's name, from `virsh list --all`: id, name, state."""
    found = {}
    for line in text.splitlines():
        parts = line.split(maxsplit=2)
        if len(parts) == 3 and parts[1].startswith(prefix(lab)):
            state = parts[2].strip()
            found[parts[1].removeprefix(prefix(lab))] = STATES.get(state, state)
    return found


def read_domains(names: Iterable[str] | None = None) -> list[Domain]:
    """Domains as libvirt has them; all of them if no names are given."""
    wanted = virsh("list", "--all", "--name").split() if names is None else names
    found = []
    for name in wanted:
        result = ask("dumpxml", "--inactive", name)
        if result.code == 0:
            found.append(parse_domain(result.output))
    return found


def parse_domain(text: str) -> Domain:
    """A domain from libvirt's XML; owner, image and seed are empty if labctl did not make it."""
    root = ET.fromstring(text)
    said = DESCRIPTION.fullmatch((root.findtext("description") or "").strip())
    memory, mac = root.find("memory"), root.find("devices/interface/mac")
    # libvirt always answers in KiB.
    kib = int(memory.text or 0) if memory is not None else 0
    return Domain(
        name=root.findtext("name", ""),
        uuid=root.findtext("uuid", ""),
        image=said[1] if said else "",
        seed=said[2] if said else "",
        owner=said[3] if said else "",
        memory_mib=kib // 1024,
        cpus=int(root.findtext("vcpu", "0")),
        mac=(mac.get("address") or "") if mac is not None else "",
        files=tuple(
            source.get("file", "")
            for source in root.findall("devices/disk/source")
            if source.get("file")
        ),
    )
