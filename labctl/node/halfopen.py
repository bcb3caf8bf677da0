"""TCP connections to a machine that went without a word: a power cut, a lost host.

Such a machine closes nothing, and the firewall of its successor drops segments of connections that
it never had, so no reset comes back either.  The other end gives up after about a quarter of an
hour (net.ipv4.tcp_retries2), and until then Prosody holds the old bridge's session.  The new
bridge has the same name in the brewery, Jicofo's health checks go to the old session, and so the
new one is "not operational" all that time: seen on virtual machines.
"""

from __future__ import annotations

from collections.abc import Collection

from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import try_all
from labctl.topology.lab import Lab


def cut_half_open(lab: Lab, *, nodes: Collection[str], gone: Collection[str]) -> None:
    """Let `nodes` close their connections to the earlier machines of `gone`, as a reset would.

    A kernel that cannot (INET_DIAG_DESTROY) waits, as it would without this; so does a node that
    cannot be reached, which later steps name.
    """
    ends = " or ".join(f"dst {lab.topology.node(name).address}" for name in gone)
    if not ends or not nodes:
        return
    script = ShellScript(f"ss -K '( {ends} )' >/dev/null 2>&1 || true")
    try_all(nodes, lambda name: reach(lab).run(name, script, sudo=True, seconds=15.0, check=False))
