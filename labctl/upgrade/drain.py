"""Bridges are taken out of service by graceful shutdown before they are upgraded.

A bridge in graceful shutdown takes no new conferences and ends when its last one has ended
(docs/facts/videobridge.md, 7).  Its REST interface offers that only where it is switched on.
"""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE
from labctl.upgrade.call import Conversation
from labctl.upgrade.model import Observation, Symptom

CONFIG = "/etc/jitsi/videobridge/jvb.conf"
SETTINGS = (
    "videobridge { apis.rest.enabled = true, rest.shutdown.enabled = true,"
    " shutdown.shutting-down-delay = 2 seconds }"
)
"""What an operator who drains bridges has switched on.  An idle bridge would end after a minute."""

SWITCH_ON = f"""
grep -qF '{SETTINGS}' {CONFIG} || {{ printf '%s\\n' '{SETTINGS}' >> {CONFIG}; \\
    systemctl restart {BRIDGE.name}; }}
"""
ASK = (
    "curl -sS -o /dev/null -w '%{http_code}' -m 10 -H 'Content-Type: application/json'"
    " -d '{\"graceful-shutdown\": true}' http://127.0.0.1:8080/colibri/shutdown"
)
SHOW = f"systemctl show -P ActiveState {BRIDGE.name}"
ASK_SECONDS = 60.0
DRAIN_SECONDS = 45.0
INTERVAL = 0.5


def switch_on(lab: Lab) -> None:
    """Let every bridge of a lab be drained; each is restarted once.  Errors: NodeError."""
    for node in lab.topology.nodes:
        if node.bridge is not None:
            reach(lab).run(node.name, ShellScript(SWITCH_ON), sudo=True)


def drain(lab: Lab, node: Node, call: Conversation, *, elsewhere: bool) -> tuple[Observation, ...]:
    """Ask a node's bridge for a graceful shutdown and wait until it has ended.

    A call on it is ended by those who hold it, and they begin another one.  With `elsewhere` there
    are other bridges, and that call must not be placed on this one.
    """

    def seen(text: str) -> tuple[Observation, ...]:
        return (Observation(Symptom.DRAIN, node.name, BRIDGE.name, text, BRIDGE.package),)

    on_it = call.bridge == node.bridge
    if not _ask(lab, node):
        return seen("its REST interface did not accept a graceful shutdown within a minute.")
    if on_it and elsewhere:
        try:
            call.move()
        except LabError as error:
            return seen(f"no other call could be begun while it was drained: {error.message}")
        if call.bridge == node.bridge:
            return seen("a new conference was placed on it although it was in graceful shutdown.")
    elif on_it:
        # The last bridge of a lab: its call is interrupted, however it is upgraded.
        return ()
    deadline = lab.patience.deadline(DRAIN_SECONDS)
    if wait_until(lambda: _ended(lab, node), deadline=deadline, interval=INTERVAL):
        return ()
    return seen(f"had not ended {DRAIN_SECONDS:.0f} s after its last conference was gone.")


def _ask(lab: Lab, node: Node) -> bool:
    """Whether the bridge accepted; right after its start its REST does not answer yet."""

    def accepted() -> bool:
        answer = reach(lab).run(node.name, ShellScript(ASK), seconds=20, check=False)
        return answer.output.strip().startswith("2")

    return wait_until(accepted, deadline=lab.patience.deadline(ASK_SECONDS), interval=1.0)


def _ended(lab: Lab, node: Node) -> bool:
    answer = reach(lab).run(node.name, ShellScript(SHOW), check=False)
    return answer.output.strip() in ("inactive", "failed")
