"""A check in words and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.contract.check import NO_CONFERENCE, Checked, Finding
from labctl.standins import VERSION_PREFIX


def contract_data(checked: Checked, *, lab: str) -> dict[str, Any]:
    """The check for programs."""
    return {
        "lab": lab,
        "good": not checked.broken,
        "versions": checked.versions,
        "entries": [
            {
                "id": finding.entry.id,
                "package": finding.entry.package,
                "kind": finding.entry.kind,
                "node": finding.node,
                "source": finding.entry.source,
                "problems": list(finding.problems),
            }
            for finding in checked.findings
        ],
        "skipped": dict(checked.skipped),
        "no_conference": checked.silence,
    }


def render_contract(checked: Checked) -> str:
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
    entries = {finding.entry.id for finding in checked.findings}
    broken = {finding.entry.id for finding in checked.broken}
    lines += ["", f"{len(entries) - len(broken)} of {len(entries)} entries hold."]
    return "\n".join(lines)


def _package_line(package: str, checked: Checked) -> str:
    found = {versions[package] for versions in checked.versions.values() if package in versions}
    stand_in = "  STAND-IN" if any(one.startswith(VERSION_PREFIX) for one in found) else ""
    mine = [finding for finding in checked.findings if finding.entry.package == package]
    names = {finding.entry.id for finding in mine}
    broken = {finding.entry.id for finding in mine if finding.problems}
    held = f"{len(names) - len(broken)}/{len(names)}"
    return f"{package:<22} {', '.join(sorted(found)) or 'not installed':<24} {held:>7}{stand_in}"


def _grouped(
    broken: Sequence[Finding],
) -> Mapping[tuple[str, tuple[str, ...]], list[str]]:
    """Nodes by entry and problems: the same on three nodes is told once."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for finding in broken:
        groups.setdefault((finding.entry.id, finding.problems), []).append(finding.node)
    return groups
