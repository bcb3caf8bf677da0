"""The domains of a lab: what libvirt has, whose it is, and what it was made from."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labctl.libvirt.virsh import ask, virsh
from labctl.workdir import Workdir

STATES = {"running": "running", "shut off": "stopped", "crashed": "stopped"}
"""libvirt's words for a domain's state in Vagrant's words; others stay as they are."""

DESCRIPTION = re.compile(r"labctl image=(\S+) seed=(\S+) lab=(.+)")


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of a lab.  Memory in MiB; `files` are the disks and volumes that it uses."""

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
    """As vagrant-libvirt makes it of `default_prefix` and the machine's name."""
    return f"{prefix(lab)}{node}"


def prefix(lab: str) -> str:
    return f"labctl-{lab}-"


def describe(*, image: str, seed: str, owner: Path) -> str:
    """The domain's description, by which it is known again."""
    return f"labctl image={image} seed={seed} lab={owner.resolve()}"


def read_states(workdir: Workdir) -> dict[str, str]:
    """The state of each domain that bears the lab's name, by node; one call."""
    return parse_states(virsh("list", "--all"), lab=workdir.lab)


def parse_states(text: str, *, lab: str) -> dict[str, str]:
    """The same from `virsh list --all`: id, name, state."""
    found = {}
    for line in text.splitlines():
        parts = line.split(maxsplit=2)
        if len(parts) == 3 and parts[1].startswith(prefix(lab)):
            state = parts[2].strip()
            found[parts[1].removeprefix(prefix(lab))] = STATES.get(state, state)
    return found


def read_domains(names: Iterable[str] | None = None) -> list[Domain]:
    """Domains as libvirt has them; all of them where no names are given."""
    wanted = virsh("list", "--all", "--name").split() if names is None else names
    found = []
    for name in wanted:
        result = ask("dumpxml", "--inactive", name)
        if result.code == 0:
            found.append(parse_domain(result.output))
    return found


def parse_domain(text: str) -> Domain:
    """A domain from libvirt's XML; owner, image and seed are empty where it is not labctl's."""
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
