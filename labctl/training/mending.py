"""What a node needs to be again as labctl made it: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE, managed_units
from labctl.training.facts import Difference, Record, compare
from provision.manifest import Manifest

SHOWN = 3
FILES = ("paths", "contents")
PACKAGED = ("trees", "packages")
KERNEL = "kernel"
PROCESS = "process "
FIREWALL = "the firewall"
FIREWALL_FILE = "/etc/nftables.conf"
_LINK = re.compile(r"/etc/(rc\d\.d/[SK]\d\d[^/]+|systemd/system/[^/]+\.wants/[^/]+)")
"""What `systemctl enable` and `disable` change; the provisioner enables what must be enabled."""


@dataclass(frozen=True, slots=True)
class Mending:
    """What a node needs: paths to remove, paths whose units start again, or to be made anew."""

    drop: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    resume: bool = False
    anew: str = ""
    """Why it must be made anew; empty if it need not."""

    @property
    def lines(self) -> list[str]:
        """The lines for the script on the node; none if nothing is to be done."""
        found = [f"drop\t{path}" for path in self.drop]
        found += [f"again\t{path}" for path in self.again]
        return [*found, *(["continue\t-"] if self.resume else [])]


def plan_mending(
    node: Node,
    manifest: Manifest,
    before: Record | None,
    now: Record | None,
    *,
    drained: bool = False,
) -> Mending:
    """What brings a node back; the provisioner then places files that are not as rendered.

    `drained` says that its bridge was asked to take no more conferences."""
    if now is None:
        return Mending(anew="it does not answer")
    if before is None:
        return Mending(anew="labctl has not seen it new")
    found = compare(before, now)
    if strange := [each for each in found if _is_strange(each, manifest)]:
        return Mending(anew=describe(strange))
    return Mending(
        drop=tuple(dict.fromkeys(_dropped(found, manifest))),
        again=tuple(_again(node, before, now, found, drained=drained)),
        resume=any(each.subject.startswith(PROCESS) for each in found),
    )


def find_left(manifest: Manifest, before: Record, now: Record) -> list[Difference]:
    """What still differs after a repair.  Files that the provisioner places are as rendered."""
    placed = placed_paths(manifest)
    return [
        each
        for each in compare(before, now)
        if each.section not in FILES or (each.subject not in placed and not _is_link(each))
    ]


def placed_paths(manifest: Manifest) -> frozenset[str]:
    """Every path that the provisioner puts back by itself, and the folders above."""
    paths = {entry.path for entry in (*manifest.files, *manifest.dirs)} | set(manifest.targets)
    return frozenset(paths | {parent for path in paths for parent in _parents(path)})


def describe(differences: Sequence[Difference]) -> str:
    """A few of the differences, for people."""
    words = {(True, False): "is gone", (False, True): "is new", (True, True): "is changed"}
    said = [f"{each.subject} {words[each.before, each.now]}" for each in differences]
    said = list(dict.fromkeys(said))
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return ", ".join(said[:SHOWN]) + more


def _parents(path: str) -> Iterator[str]:
    while (path := path.rpartition("/")[0]).count("/") > 1:
        yield path


def _is_link(difference: Difference) -> bool:
    return _LINK.fullmatch(difference.subject) is not None


def _is_strange(difference: Difference, manifest: Manifest) -> bool:
    """Whether only a new node can be trusted: what packages brought is not as it was."""
    if difference.section in PACKAGED:
        return True
    if difference.section == KERNEL:
        return difference.subject != FIREWALL and not difference.subject.startswith(PROCESS)
    if difference.section not in FILES or difference.new or _is_link(difference):
        return False
    return difference.subject not in placed_paths(manifest)


def _dropped(found: Sequence[Difference], manifest: Manifest) -> Iterator[str]:
    placed = placed_paths(manifest)
    kept = {entry.path for entry in manifest.files if entry.kept}
    for each in found:
        if each.section not in FILES or _is_link(each):
            continue
        if (each.new and each.subject not in placed) or (each.subject in kept and each.now):
            yield each.subject


def _again(
    node: Node, before: Record, now: Record, found: Sequence[Difference], *, drained: bool
) -> Iterator[str]:
    """A path of each unit that must start again, although its files may be right by now."""
    if any(each.subject == FIREWALL for each in found):
        yield FIREWALL_FILE
    for unit in managed_units(node):
        known = unit.name in before.runs and unit.name in now.runs
        restarted = known and before.runs[unit.name] != now.runs[unit.name]
        if unit.configs and (restarted or (drained and unit.template == BRIDGE.template)):
            yield unit.configs[0].path
