"""What changed in a package, in words."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.gate.contents import PackageChange, PathChanges


def change_text(change: PackageChange) -> str:
    """What changed in a package, in a line."""
    if change.baseline is None or change.candidate is None:
        return f"{change.name}: only in the {'baseline' if change.baseline else 'candidate'}"
    parts = [
        ("files", _paths(change.files)),
        ("conffiles", _paths(change.conffiles)),
        ("dependencies", _relations(change.relations)),
        ("scripts", ", ".join(change.scripts)),
    ]
    told = ", ".join(f"{name} {text}" for name, text in parts if text)
    return f"{change.name}: {told or 'only the version'}"


def _paths(paths: PathChanges) -> str:
    counts = ((paths.added, "+"), (paths.removed, "-"), (paths.changed, "~"))
    return " ".join(f"{mark}{len(those)}" for those, mark in counts if those)


def _relations(relations: Sequence[str]) -> str:
    counts = ((sum(f": {mark} " in each for each in relations), mark) for mark in ("+", "-"))
    return " ".join(f"{mark}{count}" for count, mark in counts if count)
