"""Logs of all nodes, brought here so that nothing is lost when a lab goes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.progress import Progress
from labctl.ssh import run_on
from labctl.workdir import Workdir, write_file

# Whole files: a failure's cause is often far above its last line.  Secrets are in none of them.
# All of it as root: the user may not even list the folders of Jitsi's and Prosody's logs.
# The clock's line has the node's time, its zone, and the time of the machine that asks.
_SCRIPT = """
echo "##### clock $(date '+%s.%N %z') asked ASKED"
for file in /var/log/jitsi/*.log /var/log/prosody*/prosody.* /var/log/nginx/*.log; do
  test -s "$file" || continue
  echo "##### $file"; cat "$file"
done
echo "##### systemctl --failed"; systemctl --failed --no-pager --plain
echo "##### journal"; journalctl -b --no-pager -o short-precise -n 2000 2>/dev/null
echo "##### sockets"; ss -ltunp
"""


def collect_logs(workdir: Workdir, topology: Topology, *, progress: Progress) -> Path:
    """Write the logs of every node to a new folder below `logs/`; returns the folder.

    A node that does not answer leaves a file that says so: collecting never fails.
    """
    folder = workdir.logs / time.strftime("nodes-%Y%m%d-%H%M%S")

    def one(node: Node) -> None:
        write_file(folder / f"{node.name}.log", node_log(workdir, node))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, topology.nodes))
    progress("logs", f"logs of {len(topology.nodes)} nodes are in {folder}")
    return folder


def node_log(workdir: Workdir, node: Node) -> str:
    """Everything one node logged, or why it could not be asked."""
    script = _SCRIPT.replace("ASKED", f"{time.time():.3f}")
    try:
        return run_on(workdir, node.name, script, sudo=True, timeout=60, check=False).output
    except LabError as error:
        return f"{error.message}\n"
