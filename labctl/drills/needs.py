"""What a drill needs, and why a lab or its provider cannot give it."""

from __future__ import annotations

from labctl.capabilities import capabilities_of
from labctl.drills.model import Drill, Need
from labctl.drills.stage import far_bridges
from labctl.model import Topology


def why_not(drill: Drill, topology: Topology) -> str | None:
    """Why this drill cannot be run on this lab, in words; None when it can."""
    lacks = capabilities_of(topology.provider).lacks
    small = {
        Need.TWO_BRIDGES: (len(topology.bridges) >= 2, "the lab has one bridge only"),
        Need.FAR_BRIDGE: (
            bool(far_bridges(topology)),
            "the only bridge is on the JMS, which cannot be cut off from itself",
        ),
        Need.VNODE: (bool(topology.vnodes), "the lab has no vnodes"),
        Need.TWO_VNODES: (len(topology.vnodes) >= 2, "the lab has fewer than two vnodes"),
    }
    for need in drill.needs:
        if need in lacks:
            return f"provider '{topology.provider}': {lacks[need]}"
        fine, reason = small.get(need, (True, ""))
        if not fine:
            return reason
    return None
