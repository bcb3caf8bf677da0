"""This machine's leg in a lab's overlay network: the first address, on an interface of its own.

Docker gives no machine an address in its overlay networks.  So a container of this machine joins
the network with the first address, and its interface is moved out of it to this machine: nodes are
then reached at their own addresses, over any protocol, as on one machine.  The container does
nothing else; the interface is removed before it is.
"""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.host.network import bridge_name, read_interfaces
from labctl.providers.docker.command import docker, lab_filters, lab_labels, label_words
from labctl.providers.docker.prove import find_image
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

LEG_LABEL = "labctl.leg"
"""Not the label of nodes: a leg is none, and nothing that lists these finds it."""

HOLD_OPTIONS = ("--pull", "never", "--stop-signal", "KILL", "--entrypoint", "sleep")
MOVE_OPTIONS = (
    *("--rm", "--pull", "never", "--network", "host", "--pid", "host", "--userns", "host"),
    *("--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE"),
    *("--security-opt", "apparmor=unconfined", "--security-opt", "label=disable"),
    *("--security-opt", "seccomp=unconfined", "--entrypoint", "sh"),
)
"""To take an interface out of another container, and nothing is left running with these rights."""

MOVE = """set -e
ip link delete dev "$2" 2>/dev/null || true
nsenter --net="/proc/$1/ns/net" ip link set dev eth0 down
nsenter --net="/proc/$1/ns/net" ip link set dev eth0 name "$2" netns "$$"
ip address add "$3" dev "$2"
ip link set dev "$2" up
"""
"""Its arguments: the container's process, the interface's new name, and the address."""


DROP = 'ip link delete dev "$1"'
"""Its argument: the interface.  Docker takes an interface that has left its container for gone."""


def leg_name(lab: str) -> str:
    """The container's name; no node's has an underscore."""
    return f"labctl-{lab}_leg"


def ensure_leg(lab: Lab) -> None:
    """Give this machine its leg, unless it has one.  Errors: LabError of the engine."""
    address = f"{lab.topology.host_address}/{lab.topology.network.prefixlen}"
    if _stands(lab, address):
        return
    remove_leg(lab.folder)
    name, image = leg_name(lab.folder.lab), lab.topology.jms.image
    docker(
        *("run", "--detach", "--name", name, *HOLD_OPTIONS),
        *label_words(lab_labels(lab.folder, label=LEG_LABEL)),
        *("--network", f"labctl-{lab.folder.lab}", "--ip", str(lab.topology.host_address)),
        *(image, "infinity"),
    )
    pid = docker("container", "inspect", "--format", "{{.State.Pid}}", name).strip()
    try:
        docker(
            "run", *MOVE_OPTIONS, image, *("-c", MOVE, "sh", pid, bridge_name(lab.folder), address)
        )
    except LabError:
        # Half a leg is none.
        remove_leg(lab.folder)
        raise


def remove_leg(workdir: Workdir) -> None:
    """Remove the leg of the lab in a folder, if it has one: the interface, then the container."""
    ids, name = _ids(workdir), bridge_name(workdir)
    if any(interface.name == name for interface in read_interfaces()):
        form = "{{.Config.Image}}"
        image = docker("container", "inspect", "--format", form, *ids).split() if ids else []
        if found := image[0] if image else find_image():
            docker("run", *MOVE_OPTIONS, found, *("-c", DROP, "sh", name))
    if ids:
        docker("rm", "--force", "--volumes", *ids)


def _stands(lab: Lab, address: str) -> bool:
    """Whether the container runs and this machine has the interface with the address."""
    if not _ids(lab.folder, "--filter", "status=running"):
        return False
    name = bridge_name(lab.folder)
    return any(
        str(own) == address
        for interface in read_interfaces()
        if interface.name == name
        for own in interface.addresses
    )


def _ids(workdir: Workdir, *more: str) -> list[str]:
    filters = lab_filters(workdir, label=LEG_LABEL)
    return docker("ps", "--all", "--quiet", *filters, *more).split()
