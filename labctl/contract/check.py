"""Checking a running lab: ask, hold a short conference, ask again, judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.contract.judge import judge
from labctl.contract.probe import SIZE, VERSIONS, ask_node
from labctl.contract.table import PARTICIPANTS, Entry, Kind
from labctl.contract.talk import conference, seen_by
from labctl.crowd.errors import CrowdError
from labctl.model import Topology
from labctl.progress import Progress
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

SETTLE_SECONDS = 8.0
"""How long the last lines of a conference may take to be written after everybody left."""

NO_CONFERENCE = "the conference did not come about"

Answers = dict[str, dict[str, str]]
"""Node -> entry (or `versions`, `size <log>`) -> what was answered."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry on one node; it holds where there are no problems."""

    entry: Entry
    node: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole check: findings, entries that this lab cannot show, versions by node and package.

    `silence` says why the conference did not come about; empty where it did.
    """

    findings: tuple[Finding, ...]
    skipped: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]
    silence: str = ""

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.problems]


def check_lab(
    workdir: Workdir, topology: Topology, entries: Sequence[Entry], *, progress: Progress
) -> Checked:
    """Check the entries against the lab.

    A conference that does not come about is a finding of every entry that needs it.
    Errors: LabError when a node does not answer.
    """
    skipped = _not_here(topology, entries)
    entries = [entry for entry in entries if entry.id not in skipped]
    still = [entry for entry in entries if not entry.conference]
    progress("contract", f"{len(still)} entries, without a conference")
    before = _ask(workdir, topology, still, offsets={})
    findings = [finding for entry in still for finding in _judge_each(topology, entry, before)]
    talked = [entry for entry in entries if entry.conference]
    silence = ""
    if talked:
        progress("contract", f"{len(talked)} entries, around a short conference")
        try:
            findings += _around_conference(workdir, topology, talked, before=before)
        except CrowdError as error:
            # What was found without it is worth telling all the same.
            silence = error.message
            findings += [Finding(entry, PARTICIPANTS, (NO_CONFERENCE,)) for entry in talked]
    versions = {node: _versions(answers[VERSIONS]) for node, answers in before.items()}
    return Checked(tuple(findings), skipped, versions, silence)


def _not_here(topology: Topology, entries: Iterable[Entry]) -> dict[str, str]:
    """Entries that this lab cannot show, with the reason."""
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
    workdir: Workdir,
    topology: Topology,
    entries: Iterable[Entry],
    *,
    offsets: Mapping[str, Mapping[str, int]],
) -> Answers:
    entries = list(entries)

    def one(index: int) -> dict[str, str]:
        node = topology.nodes[index]
        mine = [entry for entry in entries if node.role in entry.roles]
        return ask_node(workdir, topology, node, entries=mine, offsets=offsets.get(node.name, {}))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(len(topology.nodes))))
    return {node.name: found for node, found in zip(topology.nodes, answers, strict=True)}


def _judge_each(topology: Topology, entry: Entry, answers: Answers) -> list[Finding]:
    return [
        Finding(entry, node.name, tuple(judge(entry, answers[node.name].get(entry.id, ""))))
        for node in topology.nodes
        if node.role in entry.roles
    ]


def _judge_any(topology: Topology, entry: Entry, answers: Answers) -> Finding:
    """The best node's finding: a conference is on one bridge, and the others know nothing of it."""
    return min(_judge_each(topology, entry, answers), key=lambda finding: len(finding.problems))


def _around_conference(
    workdir: Workdir, topology: Topology, entries: Sequence[Entry], *, before: Answers
) -> list[Finding]:
    offsets = {node: _sizes(answers) for node, answers in before.items()}
    seen = [one for one in entries if one.what.get("seen_in") == PARTICIPANTS]
    asked = [one for one in entries if one.kind not in (Kind.LOG, Kind.XMPP)]
    logged = [one for one in entries if one not in seen and one not in asked]
    with conference(workdir, topology) as views:
        findings = [
            Finding(one, PARTICIPANTS, tuple(judge(one, seen_by(views, visitor=one.visitor))))
            for one in seen
        ]
        during = _ask(workdir, topology, asked, offsets={}) if asked else {}
        findings += [_judge_any(topology, one, during) for one in asked]
    last: list[Finding] = []

    def written() -> bool:
        nonlocal last
        after = _ask(workdir, topology, logged, offsets=offsets)
        last = [_judge_any(topology, one, after) for one in logged]
        return not any(finding.problems for finding in last)

    if logged:
        wait_until(written, deadline=Deadline.after(SETTLE_SECONDS), interval=1.0)
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
