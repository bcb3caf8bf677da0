"""What `labctl up` would do: images, machines, files, units, memory, disk, time."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.core.plain import to_plain
from labctl.core.progress import Progress
from labctl.core.state import StateError
from labctl.images.baketimes import find_bake_seconds
from labctl.lab.bakes import Bakes, plan_bakes
from labctl.lab.changes import TreeChanges, compare_trees
from labctl.lab.expect import find_expected, has_machines, shape_of
from labctl.lab.fit import Fit, available_mib, judge_fit
from labctl.lab.network import peek_network
from labctl.lab.prepare import render_lab
from labctl.lab.saved import load_timings
from labctl.providers.choice import refuse_change, resolve_provider
from labctl.providers.table import provider_of
from labctl.providers.vagrant import NOT_CREATED, RUNNING
from labctl.report.redact import secret_values
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Node, Topology
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir


class MachineVerb(StrEnum):
    """What happens to a node's machine."""

    MAKE = "make"
    ANEW = "make anew"
    START = "start"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What happens to one node; `why` is the reason for a machine that is made anew."""

    name: str
    role: str
    address: str
    machine: MachineVerb
    why: str
    tree: TreeChanges

    @property
    def empty(self) -> bool:
        return self.machine is MachineVerb.KEEP and self.tree.empty


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """Seconds that earlier runs make likely; None where there were none.

    `rest` is for a lab whose machines are made; of one that has machines, `last` is what its last
    `up` took.
    """

    images: float | None
    rest: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class UpPlan:
    """The whole of it."""

    lab: str
    provider: str
    network: str
    domain: str
    is_new: bool
    bakes: Bakes
    nodes: tuple[NodePlan, ...]
    fit: Fit
    time: PlannedTime

    @property
    def empty(self) -> bool:
        return not self.bakes.missing and all(node.empty for node in self.nodes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {"empty": self.empty, **to_plain(self)}


def make_up_plan(
    spec: Spec, data: Mapping[str, Any], *, workdir: Workdir, progress: Progress, refresh: bool
) -> UpPlan:
    """The plan for a spec.  Errors: LabError for what `up` would refuse before it does anything."""
    last = workdir.find_topology()
    spec = resolve_provider(spec, named="provider" in data, workdir=workdir, progress=progress)
    refuse_change(spec, workdir=workdir)
    spec = peek_network(spec, workdir=workdir)
    bakes = plan_bakes(spec, running=last, refresh=refresh)
    topology = resolve(spec)
    if bakes.images:
        topology = topology.with_images(bakes.images)
    nodes = tuple(_plan_nodes(topology, last, workdir, known_images=bool(bakes.images)))
    return UpPlan(
        lab=topology.lab,
        provider=str(spec.provider),
        network=str(topology.network),
        domain=topology.domain,
        is_new=last is None,
        bakes=bakes,
        nodes=nodes,
        fit=judge_fit(spec, available=available_mib()),
        time=_time(topology, bakes, workdir),
    )


def _plan_nodes(
    topology: Topology, last: Topology | None, workdir: Workdir, *, known_images: bool
) -> Iterator[NodePlan]:
    states = _states(topology, workdir)
    with _rendered(topology, workdir) as (tree, secrets):
        for node in topology.nodes:
            machine, why = _machine(node, topology, last, states, known_images=known_images)
            old = workdir.tree / node.name
            fresh = machine in (MachineVerb.MAKE, MachineVerb.ANEW)
            changes = compare_trees(
                old if (old / "manifest.json").exists() else None,
                tree / node.name,
                fresh=fresh,
                secrets=secrets,
            )
            yield NodePlan(node.name, str(node.role), str(node.address), machine, why, changes)
    kept = {node.name for node in topology.nodes}
    for node in last.nodes if last is not None else ():
        if node.name not in kept:
            yield NodePlan(
                node.name, str(node.role), str(node.address), MachineVerb.REMOVE,
                "the lab no longer has this node", TreeChanges(),
            )  # fmt: skip


def _states(topology: Topology, workdir: Workdir) -> Mapping[str, str]:
    """The machines' states; a provider that is not there yet has none."""
    try:
        return provider_of(topology.provider).read_states(workdir)
    except LabError:
        return {}


def _machine(
    node: Node,
    topology: Topology,
    last: Topology | None,
    states: Mapping[str, str],
    *,
    known_images: bool,
) -> tuple[MachineVerb, str]:
    if states.get(node.name, NOT_CREATED) == NOT_CREATED:
        return MachineVerb.MAKE, ""
    before = next((it for it in last.nodes if it.name == node.name), None) if last else None
    if last is None or before is None:
        return MachineVerb.ANEW, "an earlier run was interrupted"
    # Names that are not in a rendered file are given to the machine when it is made.
    named = provider_of(topology.provider).writes_hosts
    for what, old, new in (
        ("image", before.image, node.image if known_images else before.image),
        ("address", before.address, node.address),
        ("size", before.size, node.size),
        ("domain", last.domain, topology.domain if named else last.domain),
    ):
        if old != new:
            return MachineVerb.ANEW, f"its {what} changes"
    return (MachineVerb.KEEP if states[node.name] == RUNNING else MachineVerb.START), ""


@contextmanager
def _rendered(topology: Topology, workdir: Workdir) -> Iterator[tuple[Path, Collection[str]]]:
    """The trees that `up` would write, in a private folder that is removed, and all secrets.

    What a new lab or a new vnode has no secret for yet gets another one at `up`.
    """
    with tempfile.TemporaryDirectory(prefix="labctl-plan-") as name:
        copy = Workdir(Path(name) / topology.lab)
        copy.path.mkdir(mode=0o700)
        if workdir.secrets_file.exists():
            shutil.copy2(workdir.secrets_file, copy.secrets_file)
        if workdir.ca.is_dir():
            shutil.copytree(workdir.ca, copy.ca)
        render_lab(Lab(copy, topology))
        yield copy.tree, secret_values(json.loads(copy.secrets_file.read_text(encoding="utf-8")))


def _time(topology: Topology, bakes: Bakes, workdir: Workdir) -> PlannedTime:
    images: float | None = 0.0
    if bakes.problem:
        images = None
    elif bakes.missing:
        kind = provider_of(topology.provider).images.kind
        images = find_bake_seconds(kind, roles=len(bakes.missing), base=bakes.base)
    if has_machines(workdir):
        return PlannedTime(images, None, _last_time(workdir))
    expected = find_expected(shape_of(topology, stand_ins=bakes.stand_ins))
    return PlannedTime(images, expected.total if expected is not None else None, None)


def _last_time(workdir: Workdir) -> float | None:
    """The seconds of the lab's last `up`, without images."""
    try:
        timings = load_timings(workdir)
    except StateError:
        return None
    if timings is None:
        return None
    return sum(seconds for name, seconds in timings.phases.items() if name != "images")
