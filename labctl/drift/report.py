"""The output of `labctl drift`, for people and for programs: findings first, then intended ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.drift.intended import Intended, reason_of
from labctl.drift.read import Reading
from labctl.drift.sections import SettingDifference

WIDEST = 100
"""The longest value that the table shows completely; JSON always has all of it."""


@dataclass(frozen=True, slots=True)
class DriftEntry:
    """A difference and the nodes that have it; without a `reason`, nobody has reviewed it."""

    nodes: tuple[str, ...]
    area: str
    where: str
    name: str
    packaged: str | None
    placed: str | None
    reason: str | None = None

    @property
    def place(self) -> str:
        """Its place in the file, for a line of text; empty for the top level."""
        return f"[{self.where}] " if self.where else ""


@dataclass(frozen=True, slots=True)
class DriftSkip:
    """An area that was not compared on a node; `expected` if it has nothing to compare there."""

    node: str
    area: str
    reason: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """All differences of a lab: those that nobody has reviewed, and those with a reason."""

    lab: str
    unknown: tuple[DriftEntry, ...] = ()
    intended: tuple[DriftEntry, ...] = ()
    skipped: tuple[DriftSkip, ...] = ()

    @property
    def not_compared(self) -> tuple[DriftSkip, ...]:
        """Areas that should have been compared."""
        return tuple(it for it in self.skipped if not it.expected)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl drift --json` prints it."""
        plain = to_plain(self)
        for entry in plain["unknown"]:
            del entry["reason"]
        return {"format": DRIFT.format, **plain}

    @classmethod
    def from_json(cls, data: object) -> Drift:
        """The drift that `to_json` wrote.  Errors: StateError."""
        return read_document(data, DRIFT, name="drift")


DRIFT: StateKind[Drift] = StateKind(format=1, parse=partial(from_plain, Drift))


def merge_readings(readings: Sequence[Reading], intended: Sequence[Intended], *, lab: str) -> Drift:
    """The differences of all nodes, each once, divided by whether they are intended."""
    nodes: dict[SettingDifference, list[str]] = {}
    for reading in readings:
        for difference in reading.differences:
            nodes.setdefault(difference, []).append(reading.node)
    entries = [_entry(it, where, reason_of(it, intended)) for it, where in nodes.items()]
    return Drift(
        lab=lab,
        unknown=tuple(entry for entry in entries if entry.reason is None),
        intended=tuple(entry for entry in entries if entry.reason is not None),
        skipped=tuple(
            DriftSkip(reading.node, area, it.reason, it.expected)
            for reading in readings
            for area, it in reading.skipped.items()
        ),
    )


def _entry(it: SettingDifference, nodes: Iterable[str], reason: str | None) -> DriftEntry:
    return DriftEntry(tuple(nodes), it.area, it.where, it.name, it.packaged, it.placed, reason)


def render_drift(drift: Drift, *, show_all: bool) -> str:
    """The drift as text: unknown differences one by one, intended ones by reason."""
    end = ":" if drift.unknown else "."
    lines = [f"Packages against labctl: {_count(drift.unknown)} that nobody has reviewed{end}"]
    for entry in drift.unknown:
        lines += _render_entry(entry)
    end = ":" if show_all else ", which '--all' shows."
    lines.append(f"{_count(drift.intended)} with a reason{end}")
    if show_all:
        lines += _render_meant(drift.intended)
    for it in drift.skipped:
        lines.append(f"Not compared on {it.node}: {it.area}, because {it.reason}.")
    return "\n".join(lines)


def _render_entry(entry: DriftEntry) -> list[str]:
    return [
        f"  {entry.area} on {', '.join(entry.nodes)}: {entry.place}{entry.name}",
        f"      packages  {_value(entry.packaged)}",
        f"      labctl    {_value(entry.placed)}",
    ]


def _render_meant(meant: Iterable[DriftEntry]) -> list[str]:
    by_reason: dict[tuple[str, str | None], list[DriftEntry]] = {}
    for entry in meant:
        by_reason.setdefault((entry.area, entry.reason), []).append(entry)
    lines: list[str] = []
    for (area, reason), entries in by_reason.items():
        lines.append(f"  {area}: {reason}")
        for entry in entries:
            change = f"{_value(entry.packaged)} -> {_value(entry.placed)}"
            lines.append(f"      {entry.place}{entry.name}: {change}")
    return lines


def _count(entries: Sequence[object]) -> str:
    return f"{len(entries)} difference" + ("" if len(entries) == 1 else "s")


def _value(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."
