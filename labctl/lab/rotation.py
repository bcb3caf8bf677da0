"""Replaces the secrets of a lab, with calls going on: `labctl secrets rotate`.

The order, and what people in a call notice:

1. Files on all nodes.  Accounts are Prosody's data files, which it reads at each login: whoever is
   logged in stays so.
2. The Prosodies read their configuration again, and `mod_fresh_secrets` what depends on it; coturn,
   which cannot, is restarted at the same time, so calls through it are interrupted.
3. The bridges, one after another, those with the fewest people first: each is restarted when its
   calls have moved to another one.
4. Jicofo.  Sound goes on without it; its conferences are begun again at the next request.

The new values are on the disk before a node hears of them, and the old ones are kept beside them
until no node has them any more.  Whatever is killed in between, `labctl up` and another rotation
bring all nodes to the new ones, because what is not recorded as applied is applied again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress
from labctl.lab.moving import by_load, move_calls, set_drain, wait_back
from labctl.lab.prepare import render_lab
from labctl.lab.secretuses import secret_names
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import on_all
from labctl.providers.vagrant import NOT_CREATED, RUNNING, VagrantMachines
from labctl.ready.wait import wait_signals
from labctl.render.secrets import Secrets, load_secrets, now, save_secrets
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE, JICOFO, managed_units, prosody_units
from provision.plan import ProvisionPlan, ProvisionStage
from provision.run import Placed, placed, read_plans

READY_SECONDS = 120.0
SEARCHED = "/etc /var/lib /var/log /usr/local /usr/share/jitsi-meet /opt /srv /home /root /tmp /run"
# The old values arrive on standard input, because process lists show arguments.
_SEARCH = f"grep -rlaFf - --devices=skip -- {SEARCHED} 2>/dev/null || :"
SEARCH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: the secrets with new values, and the units that were changed, by node.

    `continued` are those that an interrupted rotation had begun.  `applied` is False for a lab
    without machines, where the next `labctl up` uses them.  `hasty` says of bridges whose calls
    could not be moved why not: their people were interrupted.
    """

    lab: str
    replaced: tuple[str, ...]
    continued: tuple[str, ...] = ()
    applied: bool = False
    restarted: Mapping[str, tuple[str, ...]] | None = None
    reloaded: Mapping[str, tuple[str, ...]] | None = None
    hasty: Mapping[str, str] | None = None
    seconds: float = 0.0


def rotate(lab: Lab, names: Sequence[str], *, progress: Progress) -> Rotation:
    """Replace secrets, all or those named, and see that nothing uses the old ones any more.

    The caller holds the lab's lock.  If it is killed at any instant, the same call continues.
    Errors: UsageError for an unknown name; LabError.
    """
    began = time.monotonic()
    known = load_secrets(lab.folder)
    wanted, continued = secret_names(known, names), tuple(known.retired)
    runs = _runs(lab)
    if runs and not continued:
        _refuse_unsettled(lab, progress=progress)
    save_secrets(lab.folder, known.rotated(wanted, now=now()))
    # From here on the new ones are the lab's, whoever applies them.
    render_lab(lab)
    done = Rotation(lab.topology.lab, wanted, continued)
    if not runs:
        # No node knows the old ones.
        forget_retired(lab)
        return replace(done, seconds=time.monotonic() - began)
    hasty: dict[str, str] = {}
    with placed(lab, progress=progress, log=lab.folder.logs / "provision.log") as nodes:
        changes = _Changes(lab, nodes, progress)
        changes.servers()
        hasty |= changes.bridges()
        changes.jicofo()
    wait_signals(lab, seconds=READY_SECONDS, progress=progress, mend=True)
    if left := drop_retired(lab, progress=progress):
        raise LabError(
            f"Lab '{lab.topology.lab}' has its new secrets, but an old one is still in: {left}.",
            hint="Remove these files, and run the same command again.",
        )
    return replace(
        done,
        applied=True,
        restarted=changes.named("restart"),
        reloaded=changes.named("reload"),
        hasty=hasty,
        seconds=time.monotonic() - began,
    )


def drop_retired(lab: Lab, *, progress: Progress) -> str:
    """Forget the values that a rotation has replaced, if no node has them in a file any more.

    Returns where they still are, in words; empty if nowhere.  Errors: NodeError.
    """
    retired = load_secrets(lab.folder).retired
    if not retired:
        return ""
    progress("secrets", "looking for the old ones on every node")
    patterns = "".join(f"{value}\n" for value in retired.values())

    def search(name: str) -> str:
        found = reach(lab).run(
            name, ShellScript(_SEARCH), sudo=True, stdin=patterns, seconds=SEARCH_SECONDS
        )
        return found.output

    found = on_all([node.name for node in lab.topology.nodes], search)
    left = [f"{node}:{path}" for node, text in found.items() for path in text.splitlines()]
    if not left:
        forget_retired(lab)
    return ", ".join(left)


def settle_rotation(lab: Lab, *, progress: Progress) -> None:
    """End a rotation that was interrupted, after `labctl up` has applied it.  Errors: NodeError."""
    if left := drop_retired(lab, progress=progress):
        progress(NOTICE, f"An old secret of the lab is still in these files of its nodes: {left}.")


def forget_retired(lab: Lab) -> Secrets:
    """Forget the values that a rotation has replaced; the secrets as they then are."""
    settled = replace(load_secrets(lab.folder), retired={})
    save_secrets(lab.folder, settled)
    return settled


def _runs(lab: Lab) -> bool:
    """Whether the lab's nodes run; False if it has none.  Errors: LabError if only some do."""
    states = VagrantMachines(lab).states()
    if all(state == NOT_CREATED for state in states.values()):
        return False
    stopped = [name for name, state in states.items() if state != RUNNING]
    if stopped:
        raise LabError(
            f"Lab '{lab.topology.lab}' has nodes that do not run: {', '.join(stopped)}.",
            hint="Run 'labctl up' first.",
        )
    return True


def _refuse_unsettled(lab: Lab, *, progress: Progress) -> None:
    """Refuse a lab on which more than secrets would change: that needs other restarts.

    Errors: LabError.
    """
    plans = read_plans(lab, progress=progress, log=lab.folder.logs / "provision.log")
    wrong = [
        name
        for name, plan in plans.items()
        if plan.places or plan.finish or any(not stage.empty for stage in plan.stages.values())
    ]
    if wrong:
        raise LabError(
            f"Lab '{lab.topology.lab}' is not as 'labctl up' leaves it: {', '.join(wrong)}.",
            hint="Run 'labctl up' first.  Nothing was changed.",
        )


@dataclass(frozen=True, slots=True)
class _Changes:
    """What is done to the units of nodes whose files are placed."""

    lab: Lab
    nodes: Placed
    progress: Progress

    def servers(self) -> None:
        """Everything but bridges and Jicofo, at once: Prosodies read again, coturn restarts."""
        later = {BRIDGE.name, JICOFO.name}
        stages = {
            node.name: _stage(self._plan(node), skip=later, soft=_soft(node))
            for node in self.lab.topology.nodes
        }
        self._change("servers", stages)

    def bridges(self) -> dict[str, str]:
        """One bridge after another; by node, why the calls of a bridge could not be moved."""
        waiting = [node for node in self.lab.topology.nodes if self._concerns(node, BRIDGE.name)]
        spare = len(self.lab.topology.bridges) > 1
        hasty: dict[str, str] = {}
        if spare:
            # Those that are not restarted yet get no calls while there is one that is.
            set_drain(self.lab, waiting, on=True)
        for node in by_load(self.lab, waiting):
            why = move_calls(self.lab, node) if spare else "there is no other bridge"
            if why:
                hasty[node.name] = why
                self.progress("secrets", f"its calls are interrupted: {why}", node=node.name)
            self._change("bridge", {node.name: _stage(self._plan(node), only={BRIDGE.name})})
            wait_back(self.lab, node)
        return hasty

    def jicofo(self) -> None:
        jms = self.lab.topology.jms
        if self._concerns(jms, JICOFO.name):
            self._change("Jicofo", {jms.name: _stage(self._plan(jms), only={JICOFO.name})})

    def named(self, verb: str) -> dict[str, tuple[str, ...]]:
        """The units that were restarted, or read their configuration again, by node."""
        found: dict[str, tuple[str, ...]] = {}
        for node in self.lab.topology.nodes:
            stage = _stage(self._plan(node), soft=_soft(node))
            units = (*stage.restart, *stage.start) if verb == "restart" else stage.reload
            if units:
                found[node.name] = units
        return found

    def _plan(self, node: Node) -> ProvisionPlan:
        return self.nodes.plans[node.name]

    def _concerns(self, node: Node, unit: str) -> bool:
        return not _stage(self._plan(node), only={unit}).empty

    def _change(self, name: str, stages: Mapping[str, ProvisionStage]) -> None:
        self.nodes.change(name, {node: stage for node, stage in stages.items() if not stage.empty})


def _soft(node: Node) -> frozenset[str]:
    """The units of a node that need no restart for a new secret: its Prosodies."""
    mine = {unit.name for unit in managed_units(node)}
    return frozenset(unit.name for unit in prosody_units(node) if unit.name in mine)


def _stage(
    plan: ProvisionPlan,
    *,
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    soft: Iterable[str] = (),
) -> ProvisionStage:
    """What a plan does to some units of a node, as one stage; `soft` ones are only reloaded."""
    stages = plan.stages.values()
    units = tuple(unit for stage in stages for unit in stage.units)
    chosen = {unit.name for unit in units if only is None or unit.name in only} - set(skip)

    def pick(names: Iterator[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in chosen)

    restart = pick(name for stage in stages for name in stage.restart)
    reload = pick(name for stage in stages for name in stage.reload)
    softened = tuple(name for name in restart if name in set(soft))
    changed = tuple(name for name in restart if name not in softened)
    start = pick(name for stage in stages for name in stage.start)
    touched = {*changed, *softened, *reload, *start}
    return ProvisionStage(
        units=tuple(unit for unit in units if unit.name in touched),
        restart=changed,
        reload=(*softened, *reload),
        start=start,
    )
