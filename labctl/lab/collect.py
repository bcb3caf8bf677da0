"""Collects the logs of all nodes, so that nothing is lost when a lab is removed."""

from __future__ import annotations

import time
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.core.progress import Progress
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.roles import units_of

# Whole files: a failure's cause is often far above its last line.  Secrets are in none of them.
# All of it as root: the user may not even list the folders of Jitsi's and Prosody's logs.
# The clock's line has the node's time, its zone, and the time of the machine that asks.
_SCRIPT = """
section clock "$(date '+%s.%N %z')" asked ASKED
for file in LOGS; do
  test -s "$file" || continue
  section "$file"; cat "$file"
done
section systemctl --failed; systemctl --failed --no-pager --plain
section journal; journalctl -b --no-pager -o short-precise -n 2000 2>/dev/null
section sockets; ss -ltunp
"""


def collect_logs(lab: Lab, *, progress: Progress) -> Path:
    """Write the logs of every node to a new folder below `logs/`; returns the folder.

    A node that does not answer leaves a file that says so: collecting never fails.
    """
    folder = lab.folder.logs / time.strftime("nodes-%Y%m%d-%H%M%S")

    def one(name: str) -> None:
        write_file(folder / f"{name}.log", node_log(lab, name))

    names = [node.name for node in lab.topology.nodes]
    on_all(names, one)
    progress("logs", f"logs of {len(names)} nodes are in {folder}")
    return folder


def node_log(lab: Lab, node: str) -> str:
    """Everything one node logged, in sections, or why it could not be asked."""
    units = units_of(lab.topology.node(node))
    logs = dict.fromkeys(pattern for unit in units for pattern in unit.logs)
    text = _SCRIPT.replace("ASKED", f"{time.time():.3f}").replace("LOGS", " ".join(logs))
    try:
        return reach(lab).run(node, sectioned(text), sudo=True, check=False).output
    except LabError as error:
        return f"{error.message}\n"
