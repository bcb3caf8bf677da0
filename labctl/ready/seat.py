"""Jicofo's seat in the brewery, which Prosody can lose without a word to Jicofo.

Seen after restarts of Prosody: Jicofo has joined again, as its log says, and Prosody answers
whatever it writes to a bridge with "You are not currently connected to this chat".  Jicofo does
not join once more by itself, so there are no calls until it is restarted: docs/facts/
observed-labs.md, 13, 18 and 19.
"""

from __future__ import annotations

from labctl.core.progress import Progress
from labctl.node.reach import reach
from labctl.node.script import Command
from labctl.topology.lab import Lab
from labctl.topology.roles import JICOFO


def retake_seat(lab: Lab, *, progress: Progress) -> None:
    """Restart a Jicofo that has lost its seat.  Errors: NodeError."""
    jms = lab.topology.jms.name
    progress("ready", "Jicofo is restarted: Prosody has lost it from the brewery", node=jms)
    reach(lab).run(jms, Command(("systemctl", "restart", JICOFO.name)), sudo=True)
