"""What runs of a lab, as plain data and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.capabilities import capabilities_of
from labctl.drills.journal import journal_path
from labctl.model import Node, Topology
from labctl.ready.probe import NodeState
from labctl.ready.signals import Signal, judge
from labctl.ready.wait import probe_all
from labctl.vagrant import RUNNING, VagrantMachines
from labctl.workdir import Workdir


def read_status(workdir: Workdir) -> dict[str, Any]:
    """The lab as it is now: nodes with units and versions, bridges, vnodes, what is missing."""
    topology = workdir.load_topology()
    machines = VagrantMachines(workdir, topology).states()
    running = [node for node in topology.nodes if machines[node.name] == RUNNING]
    states = probe_all(workdir, running)
    for node in topology.nodes:
        states.setdefault(node.name, NodeState(error=f"the machine is {machines[node.name]}"))
    missing = [signal for signal in judge(topology, states) if not signal.ok]
    if journal_path(workdir).is_file():
        missing.append(Signal("drill", False, "one runs, or was cut off: 'labctl up' undoes it"))
    return {
        "lab": topology.lab,
        "provider": str(topology.provider),
        "machines": _machines(workdir, topology),
        "domain": topology.domain,
        "network": str(topology.network),
        "max_participants": topology.max_participants,
        "relays": topology.relays,
        "healthy": not missing,
        "missing": {signal.name: signal.seen for signal in missing},
        "stand_ins": sorted({name for state in states.values() for name in state.stand_ins}),
        "nodes": [_node(node, machines[node.name], states[node.name]) for node in topology.nodes],
        "bridges": _bridges(topology, states[topology.jms.name]),
        "vnodes": _vnodes(topology, states),
    }


def _machines(workdir: Workdir, topology: Topology) -> dict[str, Any]:
    """What the lab's nodes are; `accelerator` is how their processors run, where that is said."""
    row = capabilities_of(topology.provider)
    return {
        "what": row.machines,
        "accelerator": str(workdir.load_machines().get("accelerator", "")),
        "own_kernel": row.own_kernel,
        "kernel": row.kernel,
        "patience": workdir.patience,
    }


def _node(node: Node, machine: str, state: NodeState) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": str(node.role),
        "address": str(node.address),
        "machine": machine,
        "answers": state.error is None,
        "units": {name: f"{unit.active} ({unit.sub})" for name, unit in state.units.items()},
        "packages": {
            name: {"version": version, "stand_in": name in state.stand_ins}
            for name, version in state.versions.items()
        },
    }


def _bridges(topology: Topology, jms: NodeState) -> list[dict[str, Any]]:
    selector = (jms.debug or {}).get("bridge_selector", {})
    seen: Mapping[str, Any] = {
        jid.rpartition("/")[2]: bridge for jid, bridge in selector.get("bridge", {}).items()
    }
    return [
        {
            "nick": node.bridge,
            "node": node.name,
            "in_brewery": node.bridge in seen,
            "operational": bool(seen.get(node.bridge, {}).get("operational", False)),
        }
        for node in topology.nodes
        if node.bridge is not None
    ]


def _vnodes(topology: Topology, states: Mapping[str, NodeState]) -> list[dict[str, Any]]:
    registered = states[topology.jms.name].connections
    return [
        {
            "name": vnode.name,
            "node": node.name,
            "unit": vnode.unit,
            "active": _is_active(states[node.name], vnode.unit),
            "registered": vnode.name in registered,
        }
        for vnode, node in topology.vnode_nodes()
    ]


def _is_active(state: NodeState, unit: str) -> bool:
    return unit in state.units and state.units[unit].active == "active"


def render_status(status: Mapping[str, Any]) -> str:
    """The same for people, one screen."""
    real = "no Jitsi package known" if not _packages(status) else "Jitsi's own packages"
    kind = f"STAND-INS: {', '.join(status['stand_ins'])}" if status["stand_ins"] else real
    lines = [
        f"Lab '{status['lab']}' ({status['provider']}, {status['domain']}, {status['network']}): "
        + ("healthy" if status["healthy"] else "NOT healthy"),
        f"Machines: {_machines_line(status['machines'])}",
        f"Packages: {kind}",
        "",
        f"{'NODE':<12} {'ROLE':<9} {'ADDRESS':<16} {'MACHINE':<12} UNITS",
    ]
    for node in status["nodes"]:
        lines.append(
            f"{node['name']:<12} {node['role']:<9} {node['address']:<16} {node['machine']:<12} "
            + _units(node)
        )
    lines += ["", f"{'BRIDGE':<12} {'NODE':<12} STATE"]
    lines += [f"{b['nick']:<12} {b['node']:<12} {_bridge_word(b)}" for b in status["bridges"]]
    if status["vnodes"]:
        lines += ["", f"{'VNODE':<12} {'NODE':<12} STATE"]
        lines += [f"{v['name']:<12} {v['node']:<12} {_vnode_word(v)}" for v in status["vnodes"]]
    if versions := _packages(status):
        lines += ["", f"{'PACKAGE':<22} VERSION"]
        lines += [f"{name:<22} {text}" for name, text in sorted(versions.items())]
    if status["missing"]:
        lines += ["", "Missing:"]
        lines += [f"  {name}: {seen}" for name, seen in status["missing"].items()]
    return "\n".join(lines)


def _machines_line(machines: Mapping[str, Any]) -> str:
    how = f" ({machines['accelerator']})" if machines["accelerator"] else ""
    slow = f"; deadlines times {machines['patience']:g}" if machines["patience"] > 1 else ""
    return f"{machines['what']}{how}, {machines['kernel']}{slow}"


def _units(node: Mapping[str, Any]) -> str:
    if not node["answers"]:
        return "-"
    bad = [name for name, state in node["units"].items() if not state.startswith("active")]
    total = len(node["units"])
    return f"{total} active" if not bad else f"{total - len(bad)} of {total} active; not {bad}"


def _bridge_word(bridge: Mapping[str, Any]) -> str:
    if not bridge["in_brewery"]:
        return "not in the brewery"
    return "operational" if bridge["operational"] else "in the brewery, NOT operational"


def _vnode_word(vnode: Mapping[str, Any]) -> str:
    unit = "active" if vnode["active"] else "NOT active"
    return f"{unit}, {'registered in Jicofo' if vnode['registered'] else 'NOT registered'}"


def _packages(status: Mapping[str, Any]) -> dict[str, str]:
    """Package -> version(s), and whether it is a stand-in; several when nodes differ."""
    found: dict[str, set[str]] = {}
    for node in status["nodes"]:
        for name, package in node["packages"].items():
            mark = "  STAND-IN" if package["stand_in"] else ""
            found.setdefault(name, set()).add(f"{package['version']}{mark}")
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}
