"""Takes the calls of a bridge to other bridges, as an operator does before it is restarted.

A bridge that drains gets no calls while there are others that do not; then Jicofo invites
everybody who is on it again (docs/facts/jicofo.md, 2, 4 and 6; docs/facts/videobridge.md, 7).  Both
need no switch in the bridge's configuration, unlike its graceful shutdown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.node.jicofo import read_bridges
from labctl.node.jicofomoves import move_everybody, read_loads
from labctl.node.reach import reach
from labctl.node.script import Command
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.model import Node

DRAIN = "http://127.0.0.1:8080/colibri/drain/"
KNOWN_SECONDS = 15.0
"""A bridge tells Jicofo that it drains with its next presence, every 5 s."""
MOVED_SECONDS = 20.0
BACK_SECONDS = 60.0
INTERVAL = 0.25


def set_drain(lab: Lab, nodes: Iterable[Node], *, on: bool) -> None:
    """Let bridges drain, or take calls again; one whose REST does not answer is left as it is."""
    word = "enable" if on else "disable"
    work = Command(("curl", "-sf", "-m", "5", "-X", "POST", f"{DRAIN}{word}"))
    names = [node.name for node in nodes]
    on_all(names, lambda name: reach(lab).run(name, work, check=False))


def by_load(lab: Lab, nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Nodes with a bridge, those with the fewest people first."""
    loads = read_loads(lab) or Counter[str]()
    return tuple(sorted(nodes, key=lambda node: loads[node.bridge or ""]))


def move_calls(lab: Lab, node: Node) -> str:
    """Have everybody on a draining bridge moved; empty if nobody is on it now, else why not."""
    nick = node.bridge or ""

    def empty() -> bool:
        loads = read_loads(lab)
        return loads is not None and not loads[nick]

    if empty():
        return ""
    if not wait_until(
        lambda: _drains(lab, nick),
        deadline=lab.patience.deadline(KNOWN_SECONDS),
        interval=INTERVAL,
    ):
        return f"Jicofo does not know after {KNOWN_SECONDS:.0f} s that it drains"
    if not move_everybody(lab, nick):
        return "Jicofo refused to move its calls"
    if wait_until(empty, deadline=lab.patience.deadline(MOVED_SECONDS), interval=INTERVAL):
        return ""
    return f"calls were still on it after {MOVED_SECONDS:.0f} s"


def wait_back(lab: Lab, node: Node) -> None:
    """Wait until Jicofo gives calls to a bridge that was restarted.

    Errors: LabError if that does not come; the other bridges are then better left alone.
    """

    def back() -> bool:
        found = read_bridges(lab).get(node.bridge or "")
        # A restart ends draining, so this is not what Jicofo knew of the bridge before.
        return found is not None and found.operational and found.drain is False

    if not wait_until(back, deadline=lab.patience.deadline(BACK_SECONDS), interval=INTERVAL):
        raise LabError(
            f"The bridge of node '{node.name}' was restarted, and Jicofo does not use it"
            f" {BACK_SECONDS:.0f} s later.",
            hint=f"'labctl logs {node.name}' may say why.  Then run the same command again.",
        )


def _drains(lab: Lab, nick: str) -> bool:
    found = read_bridges(lab).get(nick)
    return found is not None and found.drain is True
