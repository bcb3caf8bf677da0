"""What a drill needs, and why a lab or its provider cannot give it."""

from __future__ import annotations

from typing import assert_never

from labctl.drills.model import Drill, Need
from labctl.drills.places import bridges_of_far_machines, far_bridges
from labctl.providers.base import Ability
from labctl.providers.table import provider_of
from labctl.topology.model import Topology


def why_not(drill: Drill, topology: Topology) -> str | None:
    """Why this drill cannot be run on this lab, in words; None when it can."""
    reasons = (_reason(need, topology) for need in drill.needs)
    return next((reason for reason in reasons if reason is not None), None)


def _reason(need: Need, topology: Topology) -> str | None:
    match need:
        case Need.TWO_BRIDGES:
            fine, reason = len(topology.bridges) >= 2, "the lab has one bridge only"
        case Need.THREE_BRIDGES:
            fine, reason = len(topology.bridges) >= 3, "the lab has fewer than three bridges"
        case Need.FAR_BRIDGE:
            fine = bool(far_bridges(topology))
            reason = "the only bridge is on the JMS, which cannot be cut off from itself"
        case Need.FAR_MACHINE:
            fine = bool(bridges_of_far_machines(topology))
            reason = "no bridge is on another machine than the JMS ('hosts' in lab.conf)"
        case Need.VNODE:
            fine, reason = bool(topology.vnodes), "the lab has no vnodes"
        case Need.TWO_VNODES:
            fine, reason = len(topology.vnodes) >= 2, "the lab has fewer than two vnodes"
        case Need.OWN_CLOCK:
            lacks = provider_of(topology.provider).lacks
            fine = Ability.OWN_CLOCK not in lacks
            reason = f"provider '{topology.provider}': {lacks.get(Ability.OWN_CLOCK)}"
        case _:
            assert_never(need)
    return None if fine else reason
