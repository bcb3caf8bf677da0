"""A whole lab, upgraded with a call in it: node by node as upstream recommends, or all at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.node.reach import reach
from labctl.node.script import Command
from labctl.node.seam import on_all
from labctl.ready.wait import wait_signals
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.roles import managed_units, role_facts
from labctl.topology.spec import Role
from labctl.upgrade.adopt import adopt
from labctl.upgrade.call import Conversation
from labctl.upgrade.drain import drain, switch_on
from labctl.upgrade.install import KEEP_CONFFILES, AptRun, install, read_status, send
from labctl.upgrade.judge import judge_run
from labctl.upgrade.larder import Larder
from labctl.upgrade.model import Action, InstallStep, Observation, Scenario, Symptom
from labctl.upgrade.snapshot import Snapshot, take_snapshot
from provision.manifest import load_manifest

READY_SECONDS = 120.0
SOUND_SECONDS = 60.0


class Order(StrEnum):
    """In which order the nodes of a lab are upgraded."""

    NODE_BY_NODE = "node by node"
    AT_ONCE = "all at once"


def upgrade_order(topology: Topology) -> tuple[Node, ...]:
    """Bridges first, one after another; then visitors; the JMS last of those with Jitsi's packages.

    While there are bridges of two versions, Jicofo keeps a conference on those of one
    (docs/facts/jicofo.md, 2), so nobody gets a bridge that does not fit.
    """
    rank = {Role.JVB: 0, Role.VISITORS: 1, Role.JMS: 2, Role.MONITORING: 3}
    nodes = (node for node in topology.nodes if role_facts(node.role).packages)
    return tuple(sorted(nodes, key=lambda node: rank[node.role]))


@dataclass(slots=True)
class Rollout:
    """A lab, the packages that come over it, and the call that goes on meanwhile."""

    lab: Lab
    larder: Larder
    call: Conversation
    progress: Progress
    action: Action = Action.UPGRADE

    def node_by_node(self) -> Scenario:
        """One node after another, bridges drained first; ends at the first step that fails."""
        adopt(self.lab)
        switch_on(self.lab)
        wait_signals(self.lab, seconds=READY_SECONDS, progress=self.progress)
        self.call.wait_sound(seconds=SOUND_SECONDS)
        steps: list[InstallStep] = []
        for node in upgrade_order(self.lab.topology):
            step = self._step([node], name=f"{self.action} {node.name}", drained=True)
            steps.append(step)
            if ended := reason_to_end(step):
                return Scenario(f"{self.action} {Order.NODE_BY_NODE}", tuple(steps), ended)
        return Scenario(f"{self.action} {Order.NODE_BY_NODE}", tuple(steps))

    def at_once(self) -> Scenario:
        """Every node at the same time, nothing drained."""
        adopt(self.lab)
        nodes = self.lab.topology.nodes
        step = self._step(nodes, name=f"{self.action} all nodes", drained=False)
        return Scenario(f"{self.action} {Order.AT_ONCE}", (step,), reason_to_end(step))

    def _step(self, nodes: Sequence[Node], *, name: str, drained: bool) -> InstallStep:
        self.progress("upgrade", name)
        by_name = {node.name: node for node in nodes}
        packages = {node.name: role_facts(node.role).packages for node in nodes}
        files = {}
        for node in by_name:
            status = read_status(self.lab, node)
            files[node] = self.larder.files(packages[node], status=status)
            send(self.lab, node, files[node])
        before = on_all(by_name, lambda node: take_snapshot(self.lab, node))
        began = time.monotonic()
        seen: list[Observation] = []
        if drained:
            seen += self._drain(nodes[0])
        runs = on_all(
            by_name,
            lambda node: install(self.lab, node, files[node], conffiles=KEEP_CONFFILES),
        )
        after = on_all(by_name, lambda node: take_snapshot(self.lab, node))
        seen += self._judge(by_name, runs, before, after)
        changed = {n for node in by_name for n in before[node].changed_packages(after[node])}
        step = InstallStep(
            name,
            self.action,
            tuple(by_name),
            _all(packages),
            installed=tuple(each for each in self.larder.names() if each in changed),
        )
        if not any(each.symptom in (Symptom.FAILED, Symptom.HANGS) for each in seen):
            seen += self._wait(nodes)
        seconds, lost = time.monotonic() - began, self.call.lost_since(began)
        return replace(step, seconds=seconds, lost=round(lost, 2), observations=tuple(seen))

    def _drain(self, node: Node) -> tuple[Observation, ...]:
        if node.bridge is None:
            return ()
        elsewhere = len(self.lab.topology.bridges) > 1
        return drain(self.lab, node, self.call, elsewhere=elsewhere)

    def _judge(
        self,
        by_name: Mapping[str, Node],
        runs: Mapping[str, AptRun],
        before: Mapping[str, Snapshot],
        after: Mapping[str, Snapshot],
    ) -> list[Observation]:
        return [
            each
            for name, node in by_name.items()
            for each in judge_run(
                runs[name],
                node=name,
                what=f"{self.action} {name}",
                before=before[name],
                after=after[name],
                units=managed_units(node),
                ours=files_of_lab(self.lab, name),
            )
        ]

    def _wait(self, nodes: Sequence[Node]) -> list[Observation]:
        """The vnodes are restarted, as packages do not; then everything must work again."""
        for node in nodes:
            for vnode in node.vnodes:
                restart = Command(("systemctl", "restart", vnode.unit))
                reach(self.lab).run(node.name, restart, sudo=True)
        where = nodes[0].name if len(nodes) == 1 else "all nodes"
        try:
            wait_signals(self.lab, seconds=READY_SECONDS, progress=self.progress)
        except LabError as error:
            return [Observation(Symptom.NOT_READY, where, "lab", error.message)]
        if self.call.wait_sound(seconds=SOUND_SECONDS):
            return []
        text = f"two people who joined again did not hear each other within {SOUND_SECONDS:.0f} s."
        return [Observation(Symptom.CALL, where, "call", text)]


def reason_to_end(step: InstallStep) -> str | None:
    """Why no further step makes sense after this one."""
    for each in step.observations:
        if each.symptom in (Symptom.FAILED, Symptom.HANGS, Symptom.NOT_READY, Symptom.CALL):
            return f"'{step.name}': {each.subject} {each.symptom}"
    return None


def files_of_lab(lab: Lab, node: str) -> frozenset[str]:
    """The files that labctl has placed on a node."""
    manifest = load_manifest(lab.folder.tree / node / "manifest.json", node=node)
    return frozenset(entry.path for entry in manifest.files)


def _all(packages: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in packages.values() for name in names))
