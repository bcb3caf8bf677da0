"""What a drill needs, and why a lab or its provider cannot give it."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.drills.model import Drill, Need
from labctl.drills.stage import far_bridges
from labctl.model import Provider, Topology

LACKS: Mapping[Provider, Mapping[Need, str]] = {
    Provider.DOCKER: {
        Need.OWN_CLOCK: "a container has no clock of its own: setting it would set the host's",
    },
}


def why_not(drill: Drill, topology: Topology) -> str | None:
    """Why this drill cannot be run on this lab, in words; None when it can."""
    lacks = LACKS.get(topology.provider, {})
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
