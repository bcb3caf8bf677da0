"""A lab's Docker network: this machine at .1, every node at its own address, nobody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from labctl.docker.command import LAB_LABEL, WORKDIR_LABEL, docker, lab_filters
from labctl.model import Topology
from labctl.network import bridge_name, check_network
from labctl.ownership import foreign, taken
from labctl.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Network:
    """A Docker network with its first subnet; labels say whose it is."""

    name: str
    subnet: IPv4Network | None
    labels: Mapping[str, str]
    bridge: str


def network_name(lab: str) -> str:
    return f"labctl-{lab}"


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from `docker network inspect`."""
    return tuple(_network(entry) for entry in json.loads(text))


def read_networks() -> tuple[Network, ...]:
    """All networks of the engine."""
    return parse_networks(docker("network", "inspect", *docker("network", "ls", "-q").split()))


def check_free(workdir: Workdir, topology: Topology) -> Network | None:
    """The lab's Docker network as it is now, or None; looks and changes nothing.

    Errors: LabError when another lab, another Docker network or another interface has the
    addresses or the name that the lab wants.
    """
    networks = read_networks()
    mine = next((net for net in networks if net.name == network_name(workdir.lab)), None)
    if mine is not None and mine.labels.get(WORKDIR_LABEL) != str(workdir.path.resolve()):
        raise foreign(f"The Docker network '{mine.name}'", _owner(mine))
    for other in networks:
        if other is not mine and other.subnet and other.subnet.overlaps(topology.network):
            raise taken(topology.network, f"the Docker network '{other.name}'", _owner(other))
    check_network(topology.network, allow=(bridge_name(workdir),))
    return mine


def ensure_network(workdir: Workdir, topology: Topology) -> str:
    """Make the lab's Docker network where it is missing; the name of its bridge.

    Errors: those of `check_free`.
    """
    mine, bridge = check_free(workdir, topology), bridge_name(workdir)
    if mine is not None and (mine.subnet, mine.bridge) == (topology.network, bridge):
        return bridge
    if mine is not None:
        docker("network", "rm", mine.name)
    docker(*_create_network(workdir, topology, bridge=bridge))
    return bridge


def remove_network(workdir: Workdir) -> None:
    """Remove the lab's Docker network, if there is one that is this lab's."""
    for name in docker("network", "ls", *lab_filters(workdir), "--format", "{{.Name}}").split():
        docker("network", "rm", name)


def _create_network(workdir: Workdir, topology: Topology, *, bridge: str) -> list[str]:
    labels = {LAB_LABEL: workdir.lab, WORKDIR_LABEL: str(workdir.path.resolve())}
    options = {
        "com.docker.network.bridge.name": bridge,
        # A lab needs nothing from outside, and what it sends must not go there under this
        # machine's address.  ("--internal" would hide the published port from Vagrant.)
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    return [
        *("network", "create", "--driver", "bridge"),
        *("--subnet", str(topology.network), "--gateway", str(topology.host_address)),
        *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
        *(word for key, value in options.items() for word in ("--opt", f"{key}={value}")),
        network_name(workdir.lab),
    ]


def _network(entry: Mapping[str, Any]) -> Network:
    subnets = [
        item["Subnet"] for item in entry["IPAM"]["Config"] or () if ":" not in item["Subnet"]
    ]
    return Network(
        name=entry["Name"],
        subnet=IPv4Network(subnets[0]) if subnets else None,
        labels=entry["Labels"] or {},
        bridge=(entry["Options"] or {}).get("com.docker.network.bridge.name", ""),
    )


def _owner(network: Network) -> str:
    return network.labels.get(WORKDIR_LABEL, "")
