"""VirtualBox's machines, and which of them belong to a lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.providers.virtualbox.manage import (
    ask,
    describe_failure,
    is_absent,
    parse_extradata,
    parse_info,
    parse_vms,
    vboxmanage,
)
from labctl.topology.workdir import Workdir

STATES = {"poweroff": "stopped", "aborted": "stopped"}
"""VirtualBox's states of machines that can be started -> Vagrant's words; others stay."""

LAB_ADAPTER = 2
SEED_PORT = "SATA-1-0"
MADE_BY = "labctl image "

# What the Vagrantfile writes to each machine.  The image is the last thing that it sets, so a
# machine without it is unfinished.
WORKDIR_KEY, NODE_KEY = "labctl/workdir", "labctl/node"
ADDRESS_KEY, IMAGE_KEY = "labctl/address", "labctl/image"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as VirtualBox knows it.

    `state` is in Vagrant's words.  `mac` (12 hexadecimal digits) belongs to the adapter in the
    lab's network; `hostonly` are the host-only interfaces that it uses; `seed` is the volume in
    its drive.  The last four are empty for a machine that labctl did not make.
    """

    id: str
    name: str
    state: str
    memory_mib: int
    cpus: int
    mac: str
    hostonly: tuple[str, ...]
    seed: str
    description: str
    workdir: str
    node: str
    address: str
    image: str


def machine_name(lab: str, node: str) -> str:
    return f"labctl-{lab}-{node}"


def description_of(reference: str) -> str:
    """The description that an image's box gives its master; clones inherit it."""
    return f"{MADE_BY}{reference}"


def machine_of(uuid: str, info: Mapping[str, str], extra: Mapping[str, str]) -> Machine:
    """A machine from its settings and its extra data."""
    used = (info.get(f"hostonlyadapter{slot}", "") for slot in range(1, 9))
    return Machine(
        id=uuid,
        name=info.get("name", ""),
        state=STATES.get(info.get("VMState", ""), info.get("VMState", "inaccessible")),
        memory_mib=int(info.get("memory", 0)),
        cpus=int(info.get("cpus", 0)),
        mac=info.get(f"macaddress{LAB_ADAPTER}", ""),
        hostonly=tuple(name for name in used if name),
        seed=info.get(SEED_PORT, ""),
        description=info.get("description", ""),
        workdir=extra.get(WORKDIR_KEY, ""),
        node=extra.get(NODE_KEY, ""),
        address=extra.get(ADDRESS_KEY, ""),
        image=extra.get(IMAGE_KEY, ""),
    )


def read_machine(uuid: str) -> Machine | None:
    """One machine; None if it has been removed meanwhile."""
    info = ask("showvminfo", uuid, "--machinereadable")
    if is_absent(info):
        return None
    extra = ask("getextradata", uuid, "enumerate")
    if is_absent(extra):
        return None
    for result in (info, extra):
        if result.code != 0:
            raise describe_failure(result)
    return machine_of(uuid, parse_info(info.output), parse_extradata(extra.output))


def list_names() -> dict[str, str]:
    """Ids and names of all machines of this user; empty names for those whose files are gone."""
    return parse_vms(vboxmanage("list", "vms"))


def read_machines() -> tuple[Machine, ...]:
    """All machines of this user, except those whose files are gone."""
    found = (read_machine(uuid) for uuid, name in list_names().items() if name)
    return tuple(machine for machine in found if machine is not None)


def lab_machines(workdir: Workdir) -> tuple[Machine, ...]:
    """The machines of a lab, by the name that the Vagrantfile gives and by the lab's folder.

    Both must match: a copy of a node's machine has its extra data too, but another name.
    """
    prefix = machine_name(workdir.lab, "")
    ids = [uuid for uuid, name in list_names().items() if name.startswith(prefix)]
    found = (read_machine(uuid) for uuid in ids)
    return tuple(machine for machine in found if machine is not None and owns(workdir, machine))


def owns(workdir: Workdir, machine: Machine) -> bool:
    """Whether a machine is a node of this lab."""
    here = str(workdir.path.resolve())
    return machine.workdir == here and machine.name == machine_name(workdir.lab, machine.node)
