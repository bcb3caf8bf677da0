"""Check a running lab: ask, hold a short conference, ask again, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labctl.contract.differences import find_differences
from labctl.contract.probe import SIZE, VERSIONS, ask_node
from labctl.contract.table import PARTICIPANTS, ContractEntry, EntryKind
from labctl.contract.talk import conference, seen_by
from labctl.core.progress import Progress
from labctl.core.waiting import wait_until
from labctl.crowd.errors import CrowdError
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.model import Topology
from labctl.topology.versions import Versions

SETTLE_SECONDS = 8.0
"""How long after everybody left the last log lines of a conference may still be written."""

NO_CONFERENCE = "the conference did not take place"

NO_OFFSETS: Mapping[str, Mapping[str, int]] = {}
"""Logs from their beginning on."""

Answers = dict[str, dict[str, str]]
"""Node -> entry (or `versions`, `size <log>`) -> what was answered."""


@dataclass(frozen=True, slots=True)
class ContractFinding:
    """One entry on one node; it holds if there are no problems."""

    entry: ContractEntry
    node: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractCheck:
    """The result of a check: findings, entries that do not apply to this lab, and versions.

    `versions` is by node and package.  `silence` says why the conference did not take place; it is
    empty if it did.  `not_due` are entries about other versions than the installed ones: what a
    newer package does, or an older one did.
    """

    findings: tuple[ContractFinding, ...]
    skipped: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]
    silence: str = ""
    not_due: Mapping[str, Versions] = field(default_factory=dict)

    @property
    def broken(self) -> list[ContractFinding]:
        return [finding for finding in self.findings if finding.problems]


def check_lab(lab: Lab, entries: Sequence[ContractEntry], *, progress: Progress) -> ContractCheck:
    """Check the entries against the lab.

    If the conference does not take place, that is a finding for every entry that needs it.
    Errors: LabError when a node does not answer.
    """
    skipped = _not_here(lab.topology, entries)
    entries = [entry for entry in entries if entry.id not in skipped]
    versions = {node: _versions(answers[VERSIONS]) for node, answers in _ask(lab, []).items()}
    not_due = _not_due(entries, versions)
    entries = [entry for entry in entries if entry.id not in not_due]
    still = [entry for entry in entries if not entry.conference]
    progress("contract", f"{len(still)} entries, without a conference")
    before = _ask(lab, still)
    findings = [finding for entry in still for finding in _check_each(lab.topology, entry, before)]
    talked = [entry for entry in entries if entry.conference]
    silence = ""
    if talked:
        progress("contract", f"{len(talked)} entries, around a short conference")
        try:
            findings += _around_conference(lab, talked, before=before)
        except CrowdError as error:
            # What was found without the conference is still worth reporting.
            silence = error.message
            findings += [ContractFinding(entry, PARTICIPANTS, (NO_CONFERENCE,)) for entry in talked]
    return ContractCheck(tuple(findings), skipped, versions, silence, not_due)


def _not_due(
    entries: Iterable[ContractEntry], versions: Mapping[str, Mapping[str, str]]
) -> dict[str, Versions]:
    """Entries that are not about what is installed anywhere."""
    return {
        entry.id: entry.versions
        for entry in entries
        if entry.versions is not None
        and not any(
            entry.versions.hold(installed)
            for installed in versions.values()
            if entry.package in installed
        )
    }


def _not_here(topology: Topology, entries: Iterable[ContractEntry]) -> dict[str, str]:
    """Entries that do not apply to this lab, with the reason."""
    roles = {node.role for node in topology.nodes}
    visitors = any(node.vnodes for node in topology.nodes)
    skipped = {}
    for entry in entries:
        if entry.visitor and not visitors:
            skipped[entry.id] = "the lab has no visitor Prosody"
        elif not entry.roles & roles:
            skipped[entry.id] = f"the lab has no node '{', '.join(sorted(entry.roles))}'"
    return skipped


def _ask(
    lab: Lab,
    entries: Iterable[ContractEntry],
    *,
    offsets: Mapping[str, Mapping[str, int]] = NO_OFFSETS,
) -> Answers:
    entries = list(entries)

    def one(name: str) -> dict[str, str]:
        node = lab.topology.node(name)
        mine = [entry for entry in entries if node.role in entry.roles]
        return ask_node(lab, node, entries=mine, offsets=offsets.get(node.name, {}))

    return on_all([node.name for node in lab.topology.nodes], one)


def _check_each(
    topology: Topology, entry: ContractEntry, answers: Answers
) -> list[ContractFinding]:
    return [
        ContractFinding(
            entry, node.name, tuple(find_differences(entry, answers[node.name].get(entry.id, "")))
        )
        for node in topology.nodes
        if node.role in entry.roles
    ]


def _check_any(topology: Topology, entry: ContractEntry, answers: Answers) -> ContractFinding:
    """The best finding of any node: a conference is on one bridge only."""
    return min(_check_each(topology, entry, answers), key=lambda finding: len(finding.problems))


def _around_conference(
    lab: Lab, entries: Sequence[ContractEntry], *, before: Answers
) -> list[ContractFinding]:
    offsets = {node: _sizes(answers) for node, answers in before.items()}
    seen = [one for one in entries if one.what.get("seen_in") == PARTICIPANTS]
    asked = [one for one in entries if one.kind not in (EntryKind.LOG, EntryKind.XMPP)]
    logged = [one for one in entries if one not in seen and one not in asked]
    with conference(lab) as views:
        findings = [
            ContractFinding(
                one, PARTICIPANTS, tuple(find_differences(one, seen_by(views, visitor=one.visitor)))
            )
            for one in seen
        ]
        during = _ask(lab, asked) if asked else {}
        findings += [_check_any(lab.topology, one, during) for one in asked]
    last: list[ContractFinding] = []

    def written() -> bool:
        nonlocal last
        after = _ask(lab, logged, offsets=offsets)
        last = [_check_any(lab.topology, one, after) for one in logged]
        return not any(finding.problems for finding in last)

    if logged:
        wait_until(written, deadline=lab.patience.deadline(SETTLE_SECONDS), interval=1.0)
    return findings + last


def _sizes(answers: Mapping[str, str]) -> dict[str, int]:
    return {
        name.removeprefix(SIZE): int(text.strip() or 0)
        for name, text in answers.items()
        if name.startswith(SIZE)
    }


def _versions(answer: str) -> dict[str, str]:
    words = (line.split() for line in answer.splitlines())
    return {each[0]: each[1] for each in words if len(each) == 3 and each[2].startswith("ii")}
