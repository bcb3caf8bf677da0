"""Makes single nodes anew from their images, whatever was done to them, and leaves the others."""

from __future__ import annotations

from collections.abc import Collection

from labctl.core.errors import LabError
from labctl.core.progress import Progress, Timings
from labctl.providers.vagrant import VagrantMachines
from labctl.ready.wait import wait_signals
from labctl.topology.lab import Lab
from provision.run import provision

READY_SECONDS = 60.0


def rebuild(lab: Lab, nodes: Collection[str], *, progress: Progress) -> Timings:
    """Remove the nodes' machines, create them from their images and place the lab's files.

    The caller holds the lab's lock.  Ends when the nodes' own signals are seen: other nodes are
    not touched, and may be what somebody made of them.  Errors: LabError.
    """
    if any(not node.image for node in lab.topology.nodes):
        raise LabError(
            f"Lab '{lab.topology.lab}' was only rendered, so no node can be made anew.",
            hint="Run 'labctl up'.",
        )
    timings = Timings()
    with timings.phase("machines"):
        VagrantMachines(lab).rebuild(nodes, progress=progress)
    with timings.phase("provision"):
        log = lab.folder.logs / "provision.log"
        provision(lab, progress=progress, log=log, only=nodes)
    with timings.phase("ready"):
        wait_signals(lab, seconds=READY_SECONDS, progress=progress, only=nodes)
    return timings
