"""Waiting until a lab is ready: units, ports, bridges, vnodes, and an invitation to a bridge."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from labctl.crowd.errors import CrowdError
from labctl.crowd.sync import crowd_in
from labctl.crowd.target import Target
from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.progress import Progress
from labctl.ready.probe import NodeState, probe
from labctl.ready.signals import Signal, judge
from labctl.waiting import Deadline, scaled, wait_until
from labctl.workdir import Workdir

INTERVAL = 0.25
PROBES_AT_ONCE = 16
INVITATION_SECONDS = 10.0
HINT = "The logs of all nodes are in the folder below; 'labctl up' tries again."


class NotReadyError(LabError):
    """A signal was not seen in time."""


def probe_all(workdir: Workdir, nodes: Sequence[Node]) -> dict[str, NodeState]:
    """Ask several nodes at the same time."""
    with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
        states = pool.map(lambda node: probe(workdir, node), nodes)
        return dict(zip((node.name for node in nodes), states, strict=True))


def wait_signals(
    workdir: Workdir, topology: Topology, *, seconds: float, progress: Progress
) -> None:
    """Wait until every signal of the nodes is seen.

    Errors: NotReadyError that names each signal not seen within `seconds`, and what was.
    """
    told: set[str] = set()
    missing: list[Signal] = []

    def look() -> bool:
        signals = judge(topology, probe_all(workdir, topology.nodes))
        for signal in signals:
            if signal.ok and signal.name not in told:
                told.add(signal.name)
                progress("ready", f"{signal.name}: {signal.seen}")
        missing[:] = [signal for signal in signals if not signal.ok]
        return not missing

    if wait_until(look, deadline=Deadline.after(seconds), interval=INTERVAL):
        return
    lines = "".join(f"\n    {signal.name}: {signal.seen}" for signal in missing)
    raise NotReadyError(
        f"Lab '{topology.lab}' was not ready after {scaled(seconds):.0f} s.  Not seen:{lines}",
        hint=HINT,
    )


def wait_ready(workdir: Workdir, topology: Topology, *, seconds: float, progress: Progress) -> None:
    """Wait until the lab is conference-ready.

    The last signal is a participant's own: two join a room of their own and are invited to a
    bridge.  Errors: NotReadyError, with what was waited for and what was last seen.
    """
    deadline = Deadline.after(seconds)
    wait_signals(workdir, topology, seconds=seconds, progress=progress)
    wait_invitation(workdir, topology, seconds=max(deadline.left_unscaled, 20.0), progress=progress)


def wait_invitation(
    workdir: Workdir, topology: Topology, *, seconds: float, progress: Progress
) -> None:
    """Two participants join a room and get a session-initiate each (Jicofo invites from two).

    Errors: NotReadyError with what the participants last saw, after `seconds`.
    """
    deadline = Deadline.after(seconds)
    last = "nobody has tried"

    def invited() -> bool:
        nonlocal last
        room = f"labctl-ready-{secrets.token_hex(4)}"
        each = min(INVITATION_SECONDS, max(deadline.left_unscaled, 1.0))
        try:
            with crowd_in(Target.of(topology, workdir), room) as crowd:
                crowd.join(2, deadline=each)
                crowd.wait_invited(deadline=each)
        except CrowdError as error:
            last = error.message
            return False
        return True

    if not wait_until(invited, deadline=deadline, interval=1.0):
        raise NotReadyError(
            f"Lab '{topology.lab}' was not ready after {scaled(seconds):.0f} s.  Not seen:\n"
            f"    invitation: {last}",
            hint=HINT,
        )
    progress("ready", "invitation: two participants were invited to a bridge")
