"""Is the lab healthy again?  Proven by the signals of readiness; if not, what was done about it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.drills.faults import BRIDGE_UNIT
from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.progress import Progress, silent
from labctl.ready import probe
from labctl.ready.wait import wait_invitation, wait_signals
from labctl.ssh import run_on
from labctl.workdir import Workdir

PATIENCE = 75.0
"""A bridge whose health check failed counts again only at a good check, up to a minute later."""
REPAIR_SECONDS = 45.0
INVITATION_SECONDS = 20.0


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
        _wait(workdir, topology, seconds=PATIENCE)
        return Health(time.monotonic() - began)
    except LabError:
        lame = lame_bridges(workdir, topology)
    names = ", ".join(f"'{node.bridge}'" for node in lame)
    if lame:
        progress("drill", f"not operational by themselves, restarted: {names}")
    try:
        for node in lame:
            run_on(workdir, node.name, f"systemctl restart {BRIDGE_UNIT}", sudo=True)
        _wait(workdir, topology, seconds=REPAIR_SECONDS)
    except LabError as error:
        return Health(None, left=f"{error.message} Repair it with 'labctl up'.")
    repaired = f"bridges restarted: {names}" if lame else "ready only at a second look"
    return Health(time.monotonic() - began, repaired=repaired)


def _wait(workdir: Workdir, topology: Topology, *, seconds: float) -> None:
    wait_signals(workdir, topology, seconds=seconds, progress=silent)
    wait_invitation(workdir, topology, seconds=INVITATION_SECONDS, progress=silent)


def lame_bridges(workdir: Workdir, topology: Topology) -> list[Node]:
    """Nodes whose bridge Jicofo does not know, or knows as not operational."""
    state = probe(workdir, topology.jms)
    selector: Mapping[str, Any] = (state.debug or {}).get("bridge_selector", {})
    good = {
        jid.rpartition("/")[2]
        for jid, bridge in selector.get("bridge", {}).items()
        if bridge.get("operational")
    }
    return [node for node in topology.nodes if node.bridge and node.bridge not in good]
