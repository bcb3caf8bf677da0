"""How topology.json and machines.json of older labctls are read, and the kinds of both files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.core.state import StateKind, read_state
from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.topology.keys import plain
from labctl.topology.model import TOPOLOGY_FORMAT, Topology
from labctl.topology.roles import role_facts
from labctl.topology.spec import Role, Size, VisitorsLayout

REMOVE = "Use the labctl that wrote it, or remove the lab with 'labctl destroy'."


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What labctl itself reads from machines.json; the rest is for the Vagrantfile.

    `accelerator` says how the machines' processors run, if the provider says so.
    """

    patience: Patience = NO_PATIENCE
    accelerator: str = ""


def read_topology(data: object, *, source: str) -> Topology:
    """The topology in plain data of any format.  Errors: StateError that names `source`."""
    return read_state(data, TOPOLOGY, path=Path(source))


def _spec_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Format 1 had some of the spec's values at the top level; the nodes show the others."""
    nodes = data["nodes"]
    by_role = {role: [node for node in nodes if node["role"] == role] for role in Role}
    if not by_role[Role.JMS]:
        raise ValueError("it has no JMS")
    jms, apart = by_role[Role.JMS][0], by_role[Role.VISITORS]
    layout = VisitorsLayout.LOCAL if jms["vnodes"] else VisitorsLayout.NODES
    sizes = {role: Size(it[0]["memory_mib"], it[0]["cpus"]) for role, it in by_role.items() if it}
    same = ("lab", "provider", "domain", "max_participants", "relays", "packages")
    spec = {name: data[name] for name in same} | {
        "network": data["network"]["cidr"],
        "jvbs": len(by_role[Role.JVB]),
        "visitors": sum(len(node["vnodes"]) for node in nodes),
        "visitors_layout": str(layout),
        "turn": jms.get("turn", False),
        # Only those count that the user asked for.
        "sizes": {
            role: plain(size) for role, size in sizes.items() if size != role_facts(role).size
        },
    }
    # If there are several nodes, the first is full; a single one says nothing, so use the default.
    if len(apart) > 1:
        spec["visitors_per_node"] = len(apart[0]["vnodes"])
    return spec


def _with_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: data[name] for name in ("lab", "network", "hosts", "nodes")}
    return {**kept, "spec": _spec_of(data)}


def _parse_topology(data: Mapping[str, Any]) -> Topology:
    topology = Topology.from_json(data)
    if not any(node.role is Role.JMS for node in topology.nodes):
        raise ValueError("it has no JMS")
    return topology


def _parse_machines(data: Mapping[str, Any]) -> MachineFacts:
    factor = data.get("patience", 1.0)
    if not isinstance(factor, int | float) or isinstance(factor, bool):
        raise ValueError(f"patience is {factor!r}, not a number")
    return MachineFacts(Patience(max(1.0, float(factor))), str(data.get("accelerator", "")))


TOPOLOGY: StateKind[Topology] = StateKind(
    format=TOPOLOGY_FORMAT,
    parse=_parse_topology,
    remedy="Run 'labctl up' to write it again, or 'labctl destroy' to remove the lab.",
    outgrown=REMOVE,
    migrations={1: _with_spec},
)

MACHINES: StateKind[MachineFacts] = StateKind(
    format=1,
    parse=_parse_machines,
    remedy="Run 'labctl up' to write it again.",
    outgrown="Run 'labctl up' to write it as this labctl does.",
)
