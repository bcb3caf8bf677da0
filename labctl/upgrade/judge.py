"""From a node before and after a call of apt to what people would have to know.  Values only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from labctl.topology.units import UnitFacts
from labctl.upgrade.install import AptRun, failure_of
from labctl.upgrade.model import Observation, Symptom
from labctl.upgrade.snapshot import Snapshot

_LEFT = re.compile(r"\.(?:dpkg-(?:dist|old|new|tmp|bak)|ucf-(?:dist|old|new)|bak)$")

ASKERS = ("jitsi", "jicofo", "jibri", "jigasi")
"""How the names of Jitsi's questions begin; Debian's packages have questions of their own."""

MARKS = ("/etc/jitsi/STAND-IN",)
"""Files that say something about what is installed, and so change with it."""


def judge_run(
    run: AptRun,
    *,
    node: str,
    what: str,
    before: Snapshot,
    after: Snapshot,
    units: tuple[UnitFacts, ...],
    ours: AbstractSet[str] = frozenset(),
) -> tuple[Observation, ...]:
    """Everything that was seen of one call of apt, whose name is `what`.

    `units` are those that run on the node; `ours` are the files that labctl has placed there.
    """
    failed = failure_of(run, node=node, what=what)
    found = [*([failed] if failed else []), *_questions(run, node, before=before, ours=ours)]
    found += _files(node, before=before, after=after, ours=ours)
    if failed is None:
        found += _restarts(node, before=before, after=after, units=units)
    return tuple(found)


def _questions(
    run: AptRun, node: str, *, before: Snapshot, ours: AbstractSet[str]
) -> Iterator[Observation]:
    for path, package in run.conffiles:
        mine = path in ours
        who = "labctl" if mine else "nobody but the packages"
        text = f"dpkg asks what to do with it: {who} changed it since it was installed."
        yield Observation(Symptom.CONFFILE, node, path, text, package=package or None, ours=mine)
    for question in run.asked:
        if question.startswith(ASKERS) and question not in before.seen:
            text = "debconf would ask it, and an unattended machine gets the default."
            owner = question.partition("/")[0]
            yield Observation(Symptom.QUESTION, node, question, text, package=owner)


def _files(
    node: str, *, before: Snapshot, after: Snapshot, ours: AbstractSet[str]
) -> Iterator[Observation]:
    owners = {**before.conffiles, **after.conffiles}
    for path in sorted(after.files.keys() - before.files.keys()):
        if _LEFT.search(path):
            owner = owners.get(_LEFT.sub("", path))
            text = "is new beside the file that it belongs to."
            yield Observation(Symptom.LEFT_OVER, node, path, text, package=owner)
    for path, digest in sorted(before.files.items()):
        now = after.files.get(path)
        if path in ours and path not in MARKS and now != digest:
            verb = "was removed" if now is None else "was changed"
            text = f"{verb} by the packages' scripts, although labctl wrote it as people do."
            yield Observation(Symptom.CHANGED, node, path, text, package=owners.get(path))


def _restarts(
    node: str, *, before: Snapshot, after: Snapshot, units: tuple[UnitFacts, ...]
) -> Iterator[Observation]:
    """Units of packages that changed: those that go on with the old code, or started repeatedly."""
    changed = before.changed_packages(after)
    for unit in units:
        if unit.package not in changed or unit.package not in after.versions:
            continue
        if unit.package not in before.versions:
            continue
        starts = starts_between(before.starts, after.starts, unit.name)
        if starts == 0 and unit.change == "restart":
            known = unit.vnode is None
            text = "was not restarted: it still runs what was installed before."
            if not known:
                text = "was not restarted: the package knows nothing of it."
            yield Observation(
                Symptom.NOT_RESTARTED, node, unit.name, text, package=unit.package, ours=not known
            )
        elif starts > 1:
            text = f"was started {starts} times; each time everybody on it is interrupted."
            yield Observation(Symptom.RESTARTED, node, unit.name, text, package=unit.package)


def starts_between(before: Mapping[str, int], after: Mapping[str, int], unit: str) -> int:
    """How often systemd started a unit between two snapshots."""
    return max(after.get(unit, 0) - before.get(unit, 0), 0)
