"""A bridge is hit only when it answers on its own health endpoint.

One whose Java has just begun takes a signal without saying goodbye
(docs/facts/observed-labs.md, 6): what would be seen then is another fault than the drill's.
"""

from __future__ import annotations

from collections.abc import Sequence

from labctl.core.waiting import Patience
from labctl.drills.faults import BRIDGE_UNIT, Fault, Spot, Start, Undo
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.topology.lab import Lab
from labctl.topology.roles import BRIDGE
from labctl.topology.units import Proto

[REST_PORT] = [port.number for port in BRIDGE.ports if port.proto is Proto.TCP and port.always]
URL = f"http://127.0.0.1:{REST_PORT}/about/health"
HEALTH_SECONDS = 40.0
"""How long a bridge may take from its start to its first answer (15 s on a busy machine)."""
SPARE_SECONDS = 20.0


def wait_answering(lab: Lab, fault: Fault, spots: Sequence[Spot]) -> None:
    """Until every bridge that the fault is about to hit answers; at once for what is no bridge,
    does not run, or is to be mended.  Errors: LabError that names the node.
    """
    if isinstance(fault, Start | Undo):
        return
    script = ShellScript(render_wait_health(lab.patience))
    for spot in spots:
        if spot.unit == BRIDGE_UNIT:
            reach(lab).run(spot.node, script, sudo=True, seconds=HEALTH_SECONDS + SPARE_SECONDS)


def render_wait_health(patience: Patience, *, seconds: float = HEALTH_SECONDS) -> str:
    """The script that waits until the bridge answers on `/about/health`; at once for one that
    does not run."""
    return (
        f"ended=$(($(date +%s) + {patience.whole(seconds)}))\n"
        f"while systemctl is-active -q {BRIDGE_UNIT} && ! curl -s -o /dev/null -m 2 {URL}; do\n"
        '  [ "$(date +%s)" -lt "$ended" ] ||'
        f' {{ echo "{URL} does not answer" >&2; exit 1; }}\n'
        "  sleep 0.2\n"
        "done"
    )
