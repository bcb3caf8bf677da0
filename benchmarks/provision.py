#!/usr/bin/env python3
"""How long provisioning takes, beside an earlier version of it on the same lab.

    git worktree add ../earlier 23a6e8e && ../earlier/bin/labctl --help
    .venv/bin/python benchmarks/provision.py --before ../earlier [--runs 7] [--lab NAME]

Two situations: all is new (every file on every node is another one and nothing is on record, so
that each is written and each unit restarted), and nothing is to be done.  Both versions take turns
in one run; each begins without an open connection to any node.  Only the call that provisions is
timed, not how long Python takes to start.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.results import Results, add_options  # noqa: E402
from labctl.node.reach import reach  # noqa: E402
from labctl.node.script import ShellScript  # noqa: E402
from labctl.node.seam import on_all  # noqa: E402
from labctl.node.ssh import close_masters, ensure_config  # noqa: E402
from labctl.topology.lab import Lab  # noqa: E402
from labctl.topology.workdir import Workdir  # noqa: E402

LAB = "benchmark"
UP = ("--jvbs", "2", "--visitors", "8", "--packages", "stand-ins")

CALL = """
import json, sys, time
from pathlib import Path
from types import SimpleNamespace
from labctl.core.progress import silent
from labctl.topology.workdir import Workdir
folder, log = Workdir(Path(sys.argv[1])), Path(sys.argv[2])
try:
    # The version with pyinfra: it takes a lab's name from the topology, and reads the rest itself.
    from labctl.node.provision import provision
    lab = (folder, SimpleNamespace(lab=folder.lab))
except ImportError:
    from labctl.topology.lab import Lab
    from provision.run import provision
    lab = (Lab.load(folder),)
began = time.monotonic()
outcome = provision(*lab, progress=silent, log=log)
print(json.dumps([time.monotonic() - began, outcome.empty]))
"""

SPOIL = """
rm -f /var/lib/labctl/manifest.json
while IFS= read -r path; do echo >>"$path"; done
"""


def provisioned(root: Path, lab: Lab, *, log: Path) -> tuple[float, bool]:
    """Seconds that the version in `root` took, and whether it had nothing to do."""
    close_masters(lab.folder)
    # The folder of the connections' sockets goes with the last of them.
    ensure_config(lab)
    words = [root / ".venv/bin/python", "-P", "-c", CALL, lab.folder.path, log]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{root}: provisioning failed\n{done.stderr}")
    seconds, empty = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), bool(empty)


def spoil(lab: Lab) -> None:
    """Make every file of every node another one, and forget what was applied."""

    def one(node: str) -> None:
        manifest = json.loads((lab.folder.tree / node / "manifest.json").read_text())
        paths = "".join(f"{file['path']}\n" for file in manifest["files"])
        reach(lab).run(node, ShellScript(SPOIL), sudo=True, stdin=paths)

    on_all([node.name for node in lab.topology.nodes], one)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="root of the earlier version")
    parser.add_argument("--runs", type=int, default=7, help="runs per figure (medians are given)")
    parser.add_argument("--lab", help="a lab that is up; one is made and destroyed otherwise")
    add_options(parser)
    options = parser.parse_args()
    labctl = str(ROOT / "bin/labctl")
    if not options.lab:
        subprocess.run([labctl, "up", "--lab", LAB, *UP], check=True, stdout=sys.stderr)
    lab = Lab.load(Workdir.of(options.lab or LAB))
    versions = {"before": options.before.resolve(), "after": ROOT}
    results = Results("provision")
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(options.runs):
            order = list(versions) if turn % 2 else list(reversed(versions))
            for name in order:
                log = Path(scratch) / "log"
                spoil(lab)
                seconds, empty = provisioned(versions[name], lab, log=log)
                assert not empty, f"{name}: there was something to do"
                results.note(f"all is new, {name}", seconds)
                seconds, empty = provisioned(versions[name], lab, log=log)
                assert empty, f"{name}: there was nothing to do"
                results.note(f"nothing to do, {name}", seconds)
    print(f"{os.cpu_count()} cores, {len(lab.topology.nodes)} nodes")
    for title in ("all is new", "nothing to do"):
        results.ratio(f"{title}: after / before", over=f"{title}, after", under=f"{title}, before")
    if not options.lab:
        subprocess.run([labctl, "destroy", "--lab", LAB], check=True, stdout=sys.stderr)
    return results.end(options)


if __name__ == "__main__":
    sys.exit(main())
