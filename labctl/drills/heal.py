"""Is the lab healthy again?  Proven by the signals of readiness; if not, what was done about it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.drills.faults import BRIDGE_UNIT
from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.progress import Progress, silent
from labctl.ready import probe
from labctl.ready.wait import probe_all, wait_invitation, wait_signals
from labctl.ssh import ensure_config, run_on
from labctl.waiting import Deadline, scaled, wait_until
from labctl.workdir import Workdir

HEALTHY_SECONDS = 75.0
"""A bridge whose health check failed counts again only at a good check, up to a minute later."""
REPAIR_SECONDS = 45.0
LOSE_SECONDS = 40.0
INVITATION_SECONDS = 20.0
NOTABLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a lab came out of a drill: seconds until ready, what was repaired, what is left."""

    after: float | None
    repaired: str = ""
    left: str = ""


def heal(workdir: Workdir, topology: Topology, *, progress: Progress) -> Health:
    """Wait until every signal of readiness is seen; restart bridges that do not come back."""
    began = time.monotonic()
    try:
        _wait(workdir, topology, seconds=HEALTHY_SECONDS)
        return Health(time.monotonic() - began)
    except LabError:
        lame = lame_bridges(workdir, topology)
    names = ", ".join(f"'{node.bridge}'" for node in lame)
    if lame:
        progress("drill", f"not operational by themselves, stopped and started: {names}")
    try:
        _start_anew(workdir, topology, lame)
        _wait(workdir, topology, seconds=REPAIR_SECONDS)
    except LabError as error:
        return Health(None, left=f"{error.message} Repair it with 'labctl up'.")
    repaired = f"bridges started anew: {names}" if lame else "ready only at a second look"
    return Health(time.monotonic() - began, repaired=repaired)


def _start_anew(workdir: Workdir, topology: Topology, nodes: Sequence[Node]) -> None:
    """Stop bridges, wait until Jicofo has lost them, start them.

    Not a plain restart: a bridge that is back before its old session is gone inherits it, failed
    health check included (Prosody keeps a dead session for 15 s).
    """
    nicks = {str(node.bridge) for node in nodes}
    for node in nodes:
        run_on(workdir, node.name, f"systemctl stop {BRIDGE_UNIT}", sudo=True)
    wait_until(
        lambda: not nicks & set(known_bridges(workdir, topology)),
        deadline=Deadline.after(LOSE_SECONDS),
        interval=0.5,
    )
    for node in nodes:
        run_on(workdir, node.name, f"systemctl start {BRIDGE_UNIT}", sudo=True)


def ensure_healthy(workdir: Workdir, topology: Topology, *, progress: Progress) -> None:
    """Only a healthy lab can show what a fault does.  Errors: LabError that says what is wrong."""
    ensure_config(workdir, topology)
    for name, state in probe_all(workdir, topology.nodes).items():
        if state.error is not None:
            raise LabError(
                f"Node '{name}' does not answer, so nothing is broken now: {state.error}",
                hint="Run 'labctl status', then 'labctl up'.",
            )
    health = heal(workdir, topology, progress=progress)
    if health.left:
        raise LabError(
            f"Lab '{topology.lab}' is not healthy, so nothing is broken now: {health.left}",
            hint="Run 'labctl status' and 'labctl up'.",
        )
    if health.after is not None and health.after > scaled(NOTABLE_SECONDS):
        progress("drill", f"the lab needed {health.after:.0f} s to be healthy before it began")


def _wait(workdir: Workdir, topology: Topology, *, seconds: float) -> None:
    wait_signals(workdir, topology, seconds=seconds, progress=silent)
    wait_invitation(workdir, topology, seconds=INVITATION_SECONDS, progress=silent)


def lame_bridges(workdir: Workdir, topology: Topology) -> list[Node]:
    """Nodes whose bridge Jicofo does not know, or knows as not operational."""
    known = known_bridges(workdir, topology)
    return [node for node in topology.nodes if node.bridge and not known.get(node.bridge)]


def known_bridges(workdir: Workdir, topology: Topology) -> dict[str, bool]:
    """Jicofo's bridges by nick, and whether each is operational."""
    state = probe(workdir, topology.jms)
    selector: Mapping[str, Any] = (state.debug or {}).get("bridge_selector", {})
    return {
        jid.rpartition("/")[2]: bool(bridge.get("operational"))
        for jid, bridge in selector.get("bridge", {}).items()
    }
