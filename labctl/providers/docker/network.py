"""A lab's Docker network: this machine at .1, every node at its own address, nobody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from labctl.core.errors import LabError
from labctl.host.network import bridge_name
from labctl.host.network import check_network as check_here
from labctl.providers.docker.command import (
    WORKDIR_LABEL,
    docker,
    lab_filters,
    lab_labels,
    label_words,
)
from labctl.providers.docker.filters import explain_failure, refuse_lost_rules
from labctl.providers.docker.machines import HOSTS_LABEL
from labctl.providers.docker.overlay import DRIVER, ENCRYPTED, create_words
from labctl.providers.docker.swarm import check_swarm
from labctl.providers.ownership import network_taken, owned_by_other
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """A Docker network with its first subnet; its labels say who owns it."""

    name: str
    subnet: IPv4Network | None
    labels: Mapping[str, str]
    bridge: str
    driver: str = "bridge"
    encrypted: bool = False


def network_name(lab: str) -> str:
    return f"labctl-{lab}"


def parse_networks(text: str) -> tuple[DockerNetwork, ...]:
    """Networks from `docker network inspect`."""
    return tuple(_network(entry) for entry in json.loads(text))


def read_networks() -> tuple[DockerNetwork, ...]:
    """All networks of the engine."""
    return parse_networks(docker("network", "inspect", *docker("network", "ls", "-q").split()))


def check_free(lab: Lab) -> DockerNetwork | None:
    """The lab's Docker network as it is now, or None; changes nothing.

    Errors: LabError if another lab, another Docker network or another interface has the addresses
    or the name that the lab needs.
    """
    networks = read_networks()
    mine = next((net for net in networks if net.name == network_name(lab.folder.lab)), None)
    if mine is not None and mine.labels.get(WORKDIR_LABEL) != str(lab.folder.path.resolve()):
        raise owned_by_other(f"The Docker network '{mine.name}'", _owner(mine))
    for other in networks:
        if other is not mine and other.subnet and other.subnet.overlaps(lab.topology.network):
            raise network_taken(
                lab.topology.network, f"the Docker network '{other.name}'", _owner(other)
            )
    check_here(lab.topology.network, allow=(bridge_name(lab.folder),))
    return mine


def check_network(lab: Lab) -> None:
    """Check before anything is built that the lab can have its network; changes nothing.

    Errors: those of `check_free`, LabError if the engine's firewall rules are gone, and those of
    `check_swarm` for a lab on several machines.
    """
    refuse_lost_rules()
    check_free(lab)
    if lab.topology.spec.hosts:
        check_swarm(lab.topology.machines)


def ensure_network(lab: Lab) -> str:
    """Make the lab's Docker network if it is missing; returns the name of its bridge.

    Errors: those of `check_free`.
    """
    mine, bridge = check_free(lab), bridge_name(lab.folder)
    if mine is not None and fits(mine, lab):
        return bridge
    if mine is not None:
        docker("network", "rm", mine.name)
    try:
        docker(*_create_network(lab, bridge=bridge))
    except LabError as error:
        raise explain_failure(error) from error
    return bridge


def fits(mine: DockerNetwork, lab: Lab) -> bool:
    """Whether the network that a lab has is the one that it needs."""
    if lab.topology.spec.hosts:
        wanted = (lab.topology.network, DRIVER, _hosts_label(lab), lab.topology.spec.encrypt)
        label = mine.labels.get(HOSTS_LABEL)
        return (mine.subnet, mine.driver, label, mine.encrypted) == wanted
    return (mine.subnet, mine.bridge) == (lab.topology.network, bridge_name(lab.folder))


def remove_network(workdir: Workdir) -> None:
    """Remove the lab's Docker network, if it has one."""
    for name in docker("network", "ls", *lab_filters(workdir), "--format", "{{.Name}}").split():
        docker("network", "rm", name)


def _create_network(lab: Lab, *, bridge: str) -> list[str]:
    labels = lab_labels(lab.folder)
    if lab.topology.spec.hosts:
        labels[HOSTS_LABEL] = _hosts_label(lab)
        return [
            *("network", "create", *create_words(lab)),
            *label_words(labels),
            network_name(lab.folder.lab),
        ]
    options = {
        "com.docker.network.bridge.name": bridge,
        # A lab needs nothing from outside, and its packets must not leave with this machine's
        # address.  ("--internal" would hide the published port from Vagrant.)
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    return [
        *("network", "create", "--driver", "bridge"),
        *("--subnet", str(lab.topology.network), "--gateway", str(lab.topology.host_address)),
        *label_words(labels),
        *(word for key, value in options.items() for word in ("--opt", f"{key}={value}")),
        network_name(lab.folder.lab),
    ]


def _network(entry: Mapping[str, Any]) -> DockerNetwork:
    subnets = [
        item["Subnet"] for item in entry["IPAM"]["Config"] or () if ":" not in item["Subnet"]
    ]
    return DockerNetwork(
        name=entry["Name"],
        subnet=IPv4Network(subnets[0]) if subnets else None,
        labels=entry["Labels"] or {},
        bridge=(entry["Options"] or {}).get("com.docker.network.bridge.name", ""),
        driver=entry.get("Driver", "bridge"),
        encrypted=ENCRYPTED in (entry["Options"] or {}),
    )


def _hosts_label(lab: Lab) -> str:
    return ",".join(sorted(lab.topology.machines))


def _owner(network: DockerNetwork) -> str:
    return network.labels.get(WORKDIR_LABEL, "")
