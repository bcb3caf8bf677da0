"""Bytes that come from a node for as long as something runs there."""

from __future__ import annotations

from collections.abc import Callable

from labctl.core.flow import Flow
from labctl.node.openssh import shell_text
from labctl.node.script import Work
from labctl.topology.lab import Lab


def open_flow(lab: Lab, node: str, work: Work) -> Flow:
    """Start something on a node as root; what it prints comes as bytes, while it runs.

    Its input stays open until `Flow.finish`, so it can tell that it is to end, or that labctl has
    gone.  The lab's ssh configuration has been written (`labctl.node.ssh.ensure_config`).
    """
    words = ["ssh", "-F", str(lab.folder.ssh_config), "-T", node]
    return Flow([*words, shell_text(work, sudo=True)])


Opener = Callable[[Lab, str, Work], Flow]
"""What `open_flow` is, for tests that have no nodes."""
