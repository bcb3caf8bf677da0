"""Which package it was, when nodes run and do not get ready: one that starts and dies, say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labctl.errors import LabError
from labctl.gate.model import Trouble
from labctl.model import Node, Topology
from labctl.ready import NodeState, judge, probe_all
from labctl.ssh import run_on
from labctl.workdir import Workdir

EVIDENCE_LINES = 12

PROSODY, WEB = "jitsi-meet-prosody", "jitsi-meet-web-config"
# unit -> package whose files decide whether it runs, and its own log on the node.
UNITS: Mapping[str, tuple[str, str]] = {
    "jicofo.service": ("jicofo", "/var/log/jitsi/jicofo.log"),
    "jitsi-videobridge2.service": ("jitsi-videobridge2", "/var/log/jitsi/jvb.log"),
    "prosody.service": (PROSODY, "/var/log/prosody/prosody.err"),
    "nginx.service": (WEB, "/var/log/nginx/error.log"),
}
# Ports that nobody listens on although the unit says that it runs (Jicofo's init script does not
# notice that Java has died: facts of its package).
PORTS: Mapping[int, str] = {
    8888: "jicofo.service",
    5222: "prosody.service",
    5280: "prosody.service",
    443: "nginx.service",
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A unit that is not as it should be: of which node and package, and what was seen."""

    node: str
    unit: str
    package: str
    log: str
    seen: str


def find_trouble(workdir: Workdir, topology: Topology, *, phase: str, error: LabError) -> Trouble:
    """The trouble behind an `up` that failed after its machines had started."""
    states = probe_all(workdir, topology.nodes)
    silent = [f"node '{name}': {state.error}" for name, state in states.items() if state.error]
    if silent:
        return Trouble(phase, error.message, packages=False, evidence=tuple(silent))
    found = suspects(topology, states)
    if not found:
        missing = [f"{s.name}: {s.seen}" for s in judge(topology, states) if not s.ok]
        evidence = tuple(missing) or ("every unit runs and every port answers now",)
        return Trouble(phase, error.message, packages=True, evidence=evidence, hint=error.hint)
    first = found[0]
    evidence = tuple(f"{each.node}: {each.unit} {each.seen}" for each in found)
    return Trouble(
        phase,
        error.message,
        packages=True,
        package=first.package,
        evidence=(*evidence, *_last_words(workdir, first)),
        hint=error.hint,
    )


def suspects(topology: Topology, states: Mapping[str, NodeState]) -> list[Suspect]:
    """Units that do not run, that systemd had to start again, or that do not do their work.

    Those that others wait for come first.
    """
    found: dict[tuple[str, str], Suspect] = {}
    for node in topology.nodes:
        for each in _of_node(node, states[node.name], jms=node is topology.jms):
            found.setdefault((each.node, each.unit), each)
    order = list(UNITS)[2:] + list(UNITS)[:2]
    return sorted(found.values(), key=lambda each: order.index(_plain(each.unit)))


def _of_node(node: Node, state: NodeState, *, jms: bool) -> Iterator[Suspect]:
    for unit, seen in state.units.items():
        if _plain(unit) not in UNITS:
            continue
        if seen.active != "active":
            yield _suspect(node, unit, f"is {seen.active} ({seen.sub})")
        elif seen.restarts:
            yield _suspect(node, unit, f"ended and was started again {seen.restarts} times")
    for line in state.failed_modules:
        unit = "prosody.service" if jms else next(iter(node.vnodes)).unit
        yield _suspect(node, unit, f"says: {line}")
    if jms:
        for port, unit in PORTS.items():
            if port not in state.ports:
                yield _suspect(node, unit, f"does not listen on its port {port}")


def _suspect(node: Node, unit: str, seen: str) -> Suspect:
    package, log = UNITS[_plain(unit)]
    if "@" in unit:
        log = f"/var/log/prosody-v{unit.partition('@')[2].partition('.')[0]}/prosody.err"
    return Suspect(node.name, unit, package, log, seen)


def _plain(unit: str) -> str:
    """`prosody-v@3.service` runs what `prosody.service` runs."""
    return re.sub(r"^prosody-v@\d+\.service$", "prosody.service", unit)


def _last_words(workdir: Workdir, suspect: Suspect) -> list[str]:
    """The last lines of the unit's own log and of the journal about it."""
    script = (
        f"tail -n {EVIDENCE_LINES} {suspect.log} 2>/dev/null; "
        f"journalctl -b -u {suspect.unit} --no-pager -o cat -n {EVIDENCE_LINES} 2>/dev/null"
    )
    try:
        output = run_on(workdir, suspect.node, script, sudo=True, timeout=20, check=False).output
    except LabError as error:
        return [f"its log cannot be read: {error.message}"]
    # What starts and dies says the same every time.
    lines = dict.fromkeys(line.rstrip() for line in output.splitlines() if line.strip())
    return [f"  | {line}" for line in lines][-2 * EVIDENCE_LINES :]
