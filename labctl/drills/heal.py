"""Checks by the signals of readiness whether the lab is healthy again, and repairs it if not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.core.errors import LabError
from labctl.core.progress import Progress, silent
from labctl.core.waiting import wait_until
from labctl.drills.faults import BRIDGE_UNIT
from labctl.node.jicofo import read_bridges
from labctl.node.reach import reach
from labctl.node.script import Command
from labctl.node.ssh import ensure_config
from labctl.ready.probe import probe
from labctl.ready.seat import retake_seat
from labctl.ready.wait import probe_all, wait_media, wait_signals
from labctl.topology.lab import Lab
from labctl.topology.model import Node

HEALTHY_SECONDS = 75.0
"""A bridge whose health check failed counts again only at a good check, up to a minute later."""
REPAIR_SECONDS = 45.0
LOSE_SECONDS = 40.0
MEDIA_SECONDS = 20.0
NOTABLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a lab came out of a drill: seconds until ready, what was repaired, what is left."""

    after: float | None
    repaired: str = ""
    left: str = ""


def heal(lab: Lab, *, progress: Progress) -> Health:
    """Wait until every signal of readiness is seen; restart what does not come back by itself."""
    began = time.monotonic()
    try:
        _wait(lab, seconds=HEALTHY_SECONDS)
        return Health(time.monotonic() - began)
    except LabError:
        pass
    try:
        repaired = _repair(lab, progress=progress)
        _wait(lab, seconds=REPAIR_SECONDS)
    except LabError as error:
        return Health(None, left=f"{error.message} Repair it with 'labctl up'.")
    return Health(time.monotonic() - began, repaired=repaired)


def _repair(lab: Lab, *, progress: Progress) -> str:
    """Restart Jicofo if it has lost its seat, or else bridges that it does not use; says which."""
    jms = lab.topology.jms
    if probe(lab, jms, packages=False).seat_lost:
        retake_seat(lab, progress=progress)
        return "Jicofo restarted: Prosody had lost it from the brewery"
    lame = lame_bridges(lab)
    if not lame:
        return "ready only at the second check"
    names = ", ".join(f"'{node.bridge}'" for node in lame)
    progress("drill", f"not operational by themselves, stopped and started: {names}")
    restart_bridges(lab, lame)
    return f"bridges restarted: {names}"


def restart_bridges(lab: Lab, nodes: Sequence[Node]) -> None:
    """Stop bridges, wait until Jicofo has lost them, start them.

    Not a plain restart: a bridge that is back before its old session is gone inherits it, failed
    health check included (Prosody keeps a dead session for 15 s).
    """
    nicks = {str(node.bridge) for node in nodes}
    for node in nodes:
        reach(lab).run(node.name, Command(("systemctl", "stop", BRIDGE_UNIT)), sudo=True)
    wait_until(
        lambda: not nicks & set(known_bridges(lab)),
        deadline=lab.patience.deadline(LOSE_SECONDS),
        interval=0.5,
    )
    for node in nodes:
        reach(lab).run(node.name, Command(("systemctl", "start", BRIDGE_UNIT)), sudo=True)


def ensure_healthy(lab: Lab, *, progress: Progress) -> None:
    """Check that the lab is healthy: only then can it show what a fault does.  Errors: LabError
    that says what is wrong."""
    ensure_config(lab)
    for name, state in probe_all(lab, lab.topology.nodes).items():
        if state.error is not None:
            raise LabError(
                f"Node '{name}' does not answer, so no fault is made: {state.error}",
                hint="Run 'labctl status', then 'labctl up'.",
            )
    health = heal(lab, progress=progress)
    if health.left:
        raise LabError(
            f"Lab '{lab.topology.lab}' is not healthy, so no fault is made: {health.left}",
            hint="Run 'labctl status' and 'labctl up'.",
        )
    if health.after is not None and health.after > lab.patience.scaled(NOTABLE_SECONDS):
        progress("drill", f"the lab needed {health.after:.0f} s to be healthy before it began")


def _wait(lab: Lab, *, seconds: float) -> None:
    wait_signals(lab, seconds=seconds, progress=silent)
    wait_media(lab, seconds=MEDIA_SECONDS, by="drill", progress=silent)


def lame_bridges(lab: Lab) -> list[Node]:
    """Nodes whose bridge Jicofo does not know, or knows as not operational."""
    known = known_bridges(lab)
    return [node for node in lab.topology.nodes if node.bridge and not known.get(node.bridge)]


def known_bridges(lab: Lab) -> dict[str, bool]:
    """Jicofo's bridges by nick, and whether each is operational; none if the JMS does not
    answer."""
    try:
        found = read_bridges(lab)
    except LabError:
        return {}
    return {nick: bridge.operational for nick, bridge in found.items()}
