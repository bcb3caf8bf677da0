"""Brings a lab back to what labctl made of it, from whatever somebody has made of it since.

Rendered files are placed again, what was added is removed, units that were started again in between
are started once more, because nobody knows with which files they were.  A node that still differs
from the record of its first minute is made anew from its image.
"""

from __future__ import annotations

from collections.abc import Mapping

from labctl.core.progress import Progress
from labctl.drills.heal import lame_bridges, restart_bridges
from labctl.drills.journal import undo_left
from labctl.lab.rebuild import rebuild
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import NodeError, try_all
from labctl.node.ssh import ensure_config
from labctl.providers.vagrant import RUNNING, VagrantMachines
from labctl.ready.probe import NodeState, probe
from labctl.ready.wait import NotReadyError, wait_media, wait_signals
from labctl.topology.lab import Lab
from labctl.training.facts import Record, load_records, read_records, save_records
from labctl.training.mending import Mending, describe, find_left, plan_mending
from provision.manifest import Manifest, load_manifest
from provision.problem import ProvisionError
from provision.run import provision

READY_SECONDS = 10.0
HEALED_SECONDS = 60.0
MEDIA_SECONDS = 20.0
MEND_SECONDS = 60.0
# Standard input: lines "drop<TAB>PATH", "again<TAB>PATH" and "continue<TAB>-".  The provisioner
# takes a path in `pending` for one that it has changed, and starts again what reads it.
MEND = """
set -u
input=$(cat)
tab=$(printf '\\t')
pick() { printf '%s\\n' "$input" | sed -n "s/^$1$tab//p"; }
[ -z "$(pick continue)" ] ||
    ps -eo pid=,stat= | awk '$2 ~ /^[Tt]/ { print $1 }' | xargs -r kill -CONT
pick drop | sort -r | xargs -r -d '\\n' rm -rf --
mkdir -p /var/lib/labctl
pick again >>/var/lib/labctl/pending
systemctl daemon-reload
"""


def restore(lab: Lab, *, progress: Progress) -> None:
    """Bring the lab back to what labctl made of it; it is media-ready when this returns.

    The caller holds the lab's lock.  Errors: LabError."""
    names = [node.name for node in lab.topology.nodes]
    tree = lab.folder.tree
    manifests = {name: load_manifest(tree / name / "manifest.json", node=name) for name in names}
    _start_stopped(lab, progress=progress)
    undo_left(lab, progress=progress)
    records = dict(load_records(lab.folder))
    anew = _mend_all(lab, manifests, records, progress=progress)
    _make_anew(lab, anew, progress=progress)
    ensure_ready(lab, progress=progress)
    now = read_records(lab, names)
    left = _left(manifests, records, now, new=anew)
    if left:
        _make_anew(lab, left, progress=progress)
        ensure_ready(lab, progress=progress)
        now = read_records(lab, names)
    save_records(lab.folder, {name: one for name, one in now.items() if one is not None})


def ensure_ready(lab: Lab, *, progress: Progress) -> None:
    """Wait until the lab is media-ready; bridges that Jicofo holds for broken start again, and a
    Jicofo that Prosody has lost from the brewery.

    Errors: NotReadyError."""
    try:
        wait_signals(lab, seconds=READY_SECONDS, progress=progress, mend=True)
    except NotReadyError:
        lame = lame_bridges(lab)
        if not lame:
            raise
        for node in lame:
            progress("class", "its bridge is stopped and started", node=node.name)
        restart_bridges(lab, lame)
        wait_signals(lab, seconds=HEALED_SECONDS, progress=progress)
    wait_media(lab, seconds=MEDIA_SECONDS, by="class", progress=progress)


def _start_stopped(lab: Lab, *, progress: Progress) -> None:
    """Start machines that do not run, so that they can be asked."""
    machines = VagrantMachines(lab)
    if any(state != RUNNING for state in machines.states().values()):
        machines.up(progress=progress)
    ensure_config(lab)


def _mend_all(
    lab: Lab,
    manifests: Mapping[str, Manifest],
    records: Mapping[str, Record],
    *,
    progress: Progress,
) -> dict[str, str]:
    """Repair what can be repaired; the nodes that must be made anew, with the reason."""
    now = read_records(lab, list(manifests))
    drained = _drained(lab)
    plans = {
        node.name: plan_mending(
            node,
            manifests[node.name],
            records.get(node.name),
            now[node.name],
            drained=node.bridge in drained,
        )
        for node in lab.topology.nodes
    }
    anew = {name: plan.anew for name, plan in plans.items() if plan.anew}
    mended = try_all([name for name in plans if name not in anew], lambda n: _mend(lab, n, plans))
    anew |= {name: it.message for name, it in mended.items() if isinstance(it, NodeError)}
    try:
        light = [name for name in plans if name not in anew]
        provision(lab, progress=progress, log=lab.folder.logs / "provision.log", only=light)
    except ProvisionError as error:
        anew |= {problem.node: problem.reason for problem in error.problems}
    return anew


def _mend(lab: Lab, name: str, plans: Mapping[str, Mending]) -> None:
    lines = plans[name].lines
    if lines:
        stdin = "\n".join(lines) + "\n"
        reach(lab).run(name, ShellScript(MEND), sudo=True, stdin=stdin, seconds=MEND_SECONDS)


def _drained(lab: Lab) -> frozenset[str]:
    """Bridges that Jicofo knows to take no new conferences."""
    state: NodeState = probe(lab, lab.topology.jms)
    return frozenset(
        nick
        for nick, bridge in state.bridges.items()
        if bridge.drain or bridge.graceful_shutdown or bridge.shutting_down
    )


def _left(
    manifests: Mapping[str, Manifest],
    records: Mapping[str, Record],
    now: Mapping[str, Record | None],
    *,
    new: Mapping[str, str],
) -> dict[str, str]:
    """Nodes that a repair did not bring back, and what is not as it was."""
    found = {}
    for name, manifest in manifests.items():
        before, record = records.get(name), now[name]
        if name in new or before is None or record is None:
            continue
        if left := find_left(manifest, before, record):
            found[name] = describe(left)
    return found


def _make_anew(lab: Lab, reasons: Mapping[str, str], *, progress: Progress) -> None:
    for name, why in reasons.items():
        progress("class", f"is made anew: {why}", node=name)
    if reasons:
        rebuild(lab, tuple(reasons), progress=progress)
