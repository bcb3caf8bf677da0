"""A node that places its files by itself: the scripts of `node/`, with their data, as files.

Nobody looks at such a node before.  It is fresh from its image, or it has been placed already, or
that was interrupted; `node/apply.sh` tells these apart and runs the scripts in the order of
`provision.phases`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from stat import S_IFREG

from labctl.core.waiting import Patience
from provision.facts import SCRIPTS, NodeFacts, Stat, UnitState, script
from provision.manifest import Manifest
from provision.phases import COMMANDS, FINISH, PLACE, parts
from provision.plan import ProvisionPlan, make_plan

APPLY = "apply"
"""The script that a node runs from its folder of these files, as root and without arguments."""

UNITS = "units"


def fresh_files(manifest: Manifest, *, tree: Path, patience: Patience) -> dict[str, str]:
    """The files of one node, by name: `apply`, what it runs, and the data of each step.

    `tree` has the rendered files of all nodes.  Errors: NodeProblem if they differ from the
    manifest.
    """
    plan = fresh_plan(manifest)
    files = {f"{name}.sh": script(name).text for name in (PLACE.script, COMMANDS.script, UNITS)}
    files |= {f"{FINISH.script}.sh": script(FINISH.script).text}
    files[APPLY] = (SCRIPTS / f"{APPLY}.sh").read_text(encoding="utf-8")
    for phase in chain.from_iterable(parts([plan], tree=tree, patience=patience)):
        if (data := phase.data(plan)) is not None:
            files[phase.step.name.replace("stage ", f"{UNITS}-")] = f"{data.rstrip()}\n"
    return files


def fresh_plan(manifest: Manifest) -> ProvisionPlan:
    """The plan for a node of which only its image is known.

    Units are restarted, not started: if an earlier run was interrupted, they may run already, with
    other files.
    """
    plan = make_plan(manifest, _fresh_facts(manifest))
    stages = {
        number: replace(stage, restart=stage.start, start=())
        for number, stage in plan.stages.items()
    }
    return replace(plan, stages=stages)


def _fresh_facts(manifest: Manifest) -> NodeFacts:
    """Nothing is placed; what must not be there is; no unit is enabled or runs."""
    entries = (*manifest.dirs, *manifest.files)
    there = Stat("root", "root", S_IFREG, 0o644)
    idle = UnitState("loaded", "inactive", "dead", enabled=False, needs_reload=False)
    return NodeFacts(
        stats=dict.fromkeys(manifest.absent, there),
        units={unit.name: idle for unit in manifest.units},
        users=frozenset(entry.owner for entry in entries),
        groups=frozenset(entry.group for entry in entries),
    )
