"""The result of a check, in words and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labctl.contract.check import NO_CONFERENCE, ContractCheck, ContractFinding
from labctl.contract.table import EntryKind
from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.images.standins import VERSION_PREFIX
from labctl.topology.versions import Versions


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """One entry of the table on one node; it holds if there are no problems."""

    id: str
    package: str
    kind: EntryKind
    node: str
    source: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """The result for programs; `no_conference` says why none took place, empty if one did.

    `not_due` are entries about other versions than the installed ones."""

    lab: str
    good: bool
    versions: Mapping[str, Mapping[str, str]]
    entries: tuple[EntryRecord, ...]
    skipped: Mapping[str, str]
    no_conference: str = ""
    not_due: Mapping[str, Versions] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl contract --json` prints it."""
        return {"format": CONTRACT.format, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> ContractRecord:
        """The record that `to_json` wrote.  Errors: StateError."""
        return read_document(data, CONTRACT, name="contract")


CONTRACT: StateKind[ContractRecord] = StateKind(format=1, parse=partial(from_plain, ContractRecord))


def record_check(checked: ContractCheck, *, lab: str) -> ContractRecord:
    """The check as a record."""
    return ContractRecord(
        lab=lab,
        good=not checked.broken,
        versions=checked.versions,
        entries=tuple(
            EntryRecord(
                it.entry.id, it.entry.package, it.entry.kind, it.node, it.entry.source, it.problems
            )
            for it in checked.findings
        ),
        skipped=checked.skipped,
        no_conference=checked.silence,
        not_due=checked.not_due,
    )


def render_contract(checked: ContractCheck) -> str:
    """The check for people: packages, then every difference with its source."""
    packages = sorted({finding.entry.package for finding in checked.findings})
    lines = [_package_line(package, checked) for package in packages]
    if checked.silence:
        mute = [finding for finding in checked.broken if finding.problems == (NO_CONFERENCE,)]
        said = checked.silence.partition(". Last frame")[0]
        lines += ["", f"{NO_CONFERENCE}, so {len(mute)} entries do not hold:", f"    {said}"]
    for (name, problems), nodes in _grouped(checked.broken).items():
        if problems == (NO_CONFERENCE,):
            continue
        entry = next(one.entry for one in checked.broken if one.entry.id == name)
        lines += ["", f"{entry.package} {entry.kind} {name} on {', '.join(nodes)}"]
        lines += [f"    {problem}" for problem in problems]
        lines.append(f"    source: {entry.source}")
    if checked.skipped:
        lines += ["", *(f"not checked: {name}: {why}" for name, why in checked.skipped.items())]
    lines += _worse(checked)
    entries = {finding.entry.id for finding in checked.findings}
    broken = {finding.entry.id for finding in checked.broken}
    lines += ["", f"{len(entries) - len(broken)} of {len(entries)} entries hold."]
    return "\n".join(lines)


def _worse(checked: ContractCheck) -> list[str]:
    """What newer packages do and these, by their age, need not."""
    newer = {name: one for name, one in checked.not_due.items() if one.since}
    if not newer:
        return []
    words = [f"    {name}: from {one.package} {one.since} on" for name, one in newer.items()]
    return ["", "worse than the newest known packages, as their age has it:", *words]


def _package_line(package: str, checked: ContractCheck) -> str:
    found = {versions[package] for versions in checked.versions.values() if package in versions}
    stand_in = "  STAND-IN" if any(one.startswith(VERSION_PREFIX) for one in found) else ""
    mine = [finding for finding in checked.findings if finding.entry.package == package]
    names = {finding.entry.id for finding in mine}
    broken = {finding.entry.id for finding in mine if finding.problems}
    held = f"{len(names) - len(broken)}/{len(names)}"
    return f"{package:<22} {', '.join(sorted(found)) or 'not installed':<24} {held:>7}{stand_in}"


def _grouped(
    broken: Sequence[ContractFinding],
) -> Mapping[tuple[str, tuple[str, ...]], list[str]]:
    """Nodes by entry and problems, so that the same problem on three nodes is printed once."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for finding in broken:
        groups.setdefault((finding.entry.id, finding.problems), []).append(finding.node)
    return groups
