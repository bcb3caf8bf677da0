"""The state of a lab, read from its nodes, and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.core.progress import Progress, silent
from labctl.core.state import StateError
from labctl.providers.base import describe_kernel
from labctl.providers.table import provider_of
from labctl.providers.vagrant import RUNNING, VagrantMachines
from labctl.ready.probe import NodeState
from labctl.ready.record import BridgeRecord, MediaRecord, load_record
from labctl.ready.signals import Signal, Validity, judge_signals
from labctl.ready.wait import probe_all
from labctl.report.status import (
    BridgeStatus,
    MachinesStatus,
    NodeStatus,
    PackageStatus,
    Status,
    VNodeStatus,
)
from labctl.topology.hosts import host_name
from labctl.topology.lab import Lab
from labctl.topology.migrate import MachineFacts
from labctl.topology.model import Node, Topology


def read_status(lab: Lab, *, progress: Progress = silent) -> Status:
    """The lab as it is now: nodes with units and versions, bridges, vnodes, what is missing.

    The provider's engine is started if it does not run.  Media is not tried here: the status
    shows what `up`, `verify` or a drill saw last."""
    topology = lab.topology
    machines = VagrantMachines(lab).states(progress=progress)
    running = [node for node in topology.nodes if machines[node.name] == RUNNING]
    states = probe_all(lab, running)
    for node in topology.nodes:
        states.setdefault(node.name, NodeState(error=f"the machine is {machines[node.name]}"))
    signals = judge_signals(topology, states, validity=Validity.of(lab.folder))
    missing = [signal for signal in signals if not signal.ok]
    record = load_record(lab.folder)
    if wrong := record.wrong(topology.bridges):
        missing.append(Signal("media", False, wrong))
    facts, unusable = _machine_facts(lab)
    missing += unusable
    if lab.folder.drill_file.exists():
        missing.append(
            Signal("drill", False, "one is running, or was interrupted: 'labctl up' undoes it")
        )
    return Status(
        lab=topology.lab,
        provider=str(topology.provider),
        machines=_machines(lab, accelerator=facts.accelerator),
        domain=topology.domain,
        network=str(topology.network),
        max_participants=topology.spec.max_participants,
        relays=topology.spec.relays,
        healthy=not missing,
        media_passed=record.passed(topology.bridges),
        missing={signal.name: signal.seen for signal in missing},
        stand_ins=tuple(sorted({name for it in states.values() for name in it.stand_ins})),
        nodes=tuple(_node(it, machines[it.name], states[it.name]) for it in topology.nodes),
        bridges=tuple(_bridges(topology, states[topology.jms.name], record)),
        vnodes=tuple(_vnodes(topology, states)),
    )


def _machine_facts(lab: Lab) -> tuple[MachineFacts, list[Signal]]:
    """What machines.json says; a file that cannot be used counts as missing."""
    try:
        return lab.folder.load_machines(), []
    except StateError as error:
        seen = f"{error.message.rstrip('.')}: 'labctl up' writes it again"
        return MachineFacts(), [Signal("machines.json", False, seen)]


def _machines(lab: Lab, *, accelerator: str) -> MachinesStatus:
    provider = provider_of(lab.topology.provider)
    return MachinesStatus(
        what=provider.machines,
        accelerator=accelerator,
        own_kernel=provider.own_kernel,
        kernel=describe_kernel(provider),
        patience=lab.patience.factor,
    )


def _node(node: Node, machine: str, state: NodeState) -> NodeStatus:
    return NodeStatus(
        name=node.name,
        role=str(node.role),
        address=str(node.address),
        machine=machine,
        answers=state.error is None,
        units={name: f"{unit.active} ({unit.sub})" for name, unit in state.units.items()},
        packages={
            name: PackageStatus(version, stand_in=name in state.stand_ins)
            for name, version in state.versions.items()
        },
        host=node.host,
    )


def _bridges(topology: Topology, jms: NodeState, record: MediaRecord) -> Iterator[BridgeStatus]:
    seen = jms.bridges
    for node in topology.nodes:
        if node.bridge is not None:
            yield BridgeStatus(
                nick=node.bridge,
                node=node.name,
                in_brewery=node.bridge in seen,
                operational=node.bridge in seen and seen[node.bridge].operational,
                media=record.of(node.bridge),
            )


def _vnodes(topology: Topology, states: Mapping[str, NodeState]) -> Iterator[VNodeStatus]:
    registered = states[topology.jms.name].connections
    for vnode, node in topology.vnode_nodes():
        yield VNodeStatus(
            name=vnode.name,
            node=node.name,
            unit=vnode.unit,
            active=_is_active(states[node.name], vnode.unit),
            registered=vnode.name in registered,
        )


def _is_active(state: NodeState, unit: str) -> bool:
    return unit in state.units and state.units[unit].active == "active"


def render_status(status: Status) -> str:
    """The same for people, one screen."""
    versions = _packages(status)
    real = "Jitsi's own packages" if versions else "no Jitsi package known"
    kind = f"STAND-INS: {', '.join(status.stand_ins)}" if status.stand_ins else real
    lines = [
        f"Lab '{status.lab}' ({status.provider}, {status.domain}, {status.network}): "
        + ("healthy" if status.healthy else "NOT healthy"),
        f"Machines: {_machines_line(status.machines)}",
        f"Packages: {kind}",
        f"Media: {_media_line(status.media_passed)}",
        "",
        f"{'NODE':<12} {'ROLE':<9} {'ADDRESS':<16} {'MACHINE':<12} UNITS",
    ]
    lines += [
        f"{it.name:<12} {it.role:<9} {it.address:<16} {it.machine:<12} {render_units(it)}"
        + (f", on {host_name(it.host)}" if it.host else "")
        for it in status.nodes
    ]
    lines += ["", f"{'BRIDGE':<12} {'NODE':<12} {'STATE':<32} MEDIA"]
    lines += [
        f"{it.nick:<12} {it.node:<12} {_bridge_word(it):<32} {_media_word(it.media)}"
        for it in status.bridges
    ]
    if status.vnodes:
        lines += ["", f"{'VNODE':<12} {'NODE':<12} STATE"]
        lines += [f"{it.name:<12} {it.node:<12} {_vnode_word(it)}" for it in status.vnodes]
    if versions:
        lines += ["", f"{'PACKAGE':<22} VERSION"]
        lines += [f"{name:<22} {text}" for name, text in sorted(versions.items())]
    if status.missing:
        lines += ["", "Missing:"]
        lines += [f"  {name}: {seen}" for name, seen in status.missing.items()]
    return "\n".join(lines)


def _machines_line(machines: MachinesStatus) -> str:
    how = f" ({machines.accelerator})" if machines.accelerator else ""
    slow = f"; deadlines times {machines.patience:g}" if machines.patience > 1 else ""
    return f"{machines.what}{how}, {machines.kernel}{slow}"


def _media_line(passed: str) -> str:
    if not passed:
        return "NOT seen to pass through every bridge"
    return f"passed through every bridge, last seen at {passed}"


def _media_word(media: BridgeRecord) -> str:
    if media.problem:
        return f"FAILED {media.tried}"
    return f"passed {media.passed}" if media.passed else "never tried"


def render_units(node: NodeStatus) -> str:
    """How many units of a node run, and which do not."""
    if not node.answers:
        return "-"
    total, idle = len(node.units), list(node.idle_units)
    if not idle:
        return f"{total} active"
    return f"{total - len(idle)} of {total} active; not {', '.join(idle)}"


def _bridge_word(bridge: BridgeStatus) -> str:
    if not bridge.in_brewery:
        return "not in the brewery"
    return "operational" if bridge.operational else "in the brewery, NOT operational"


def _vnode_word(vnode: VNodeStatus) -> str:
    unit = "active" if vnode.active else "NOT active"
    return f"{unit}, {'registered in Jicofo' if vnode.registered else 'NOT registered'}"


def _packages(status: Status) -> dict[str, str]:
    """Package -> version(s), and whether it is a stand-in; several when nodes differ."""
    found: dict[str, set[str]] = {}
    for node in status.nodes:
        for name, package in node.packages.items():
            mark = "  STAND-IN" if package.stand_in else ""
            found.setdefault(name, set()).add(f"{package.version}{mark}")
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}
