"""What `labctl drift` says: findings first, then what is meant, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from labctl.drift.intended import Intended, reason_of
from labctl.drift.read import Reading

WIDEST = 100
"""Longest value that the table shows whole; JSON always has all of it."""


def judge(readings: Sequence[Reading], intended: Sequence[Intended]) -> dict[str, Any]:
    """Plain data: `unknown` and `intended` differences, each with its nodes, and `skipped`."""
    nodes: dict[Any, list[str]] = {}
    for reading in readings:
        for difference in reading.differences:
            nodes.setdefault(difference, []).append(reading.node)
    unknown: list[dict[str, Any]] = []
    meant: list[dict[str, Any]] = []
    for difference, where in nodes.items():
        reason = reason_of(difference, intended)
        entry = {"nodes": where, **asdict(difference)}
        if reason is None:
            unknown.append(entry)
        else:
            meant.append({**entry, "reason": reason})
    return {
        "unknown": unknown,
        "intended": meant,
        "skipped": [
            {"node": reading.node, "area": area, "reason": reason}
            for reading in readings
            for area, reason in reading.skipped.items()
        ],
    }


def render_drift(drift: Mapping[str, Any], *, show_all: bool) -> str:
    """The same as text: unknown differences one by one, intended ones by reason."""
    unknown, meant = drift["unknown"], drift["intended"]
    end = ":" if unknown else "."
    lines = [f"Packages against labctl: {_count(unknown)} that nobody has judged{end}"]
    for entry in unknown:
        lines += _render_entry(entry)
    end = ":" if show_all else ", which '--all' shows."
    lines.append(f"{_count(meant)} with a reason{end}")
    if show_all:
        lines += _render_meant(meant)
    for it in drift["skipped"]:
        lines.append(f"Not compared on {it['node']}: {it['area']}, as {it['reason']}.")
    return "\n".join(lines)


def _render_entry(entry: Mapping[str, Any]) -> list[str]:
    place = f"[{entry['where']}] " if entry["where"] else ""
    return [
        f"  {entry['area']} on {', '.join(entry['nodes'])}: {place}{entry['name']}",
        f"      packages  {_value(entry['packaged'])}",
        f"      labctl    {_value(entry['placed'])}",
    ]


def _render_meant(meant: Sequence[Mapping[str, Any]]) -> list[str]:
    by_reason: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in meant:
        by_reason.setdefault((entry["area"], entry["reason"]), []).append(entry)
    lines: list[str] = []
    for (area, reason), entries in by_reason.items():
        lines.append(f"  {area}: {reason}")
        for entry in entries:
            place = f"[{entry['where']}] " if entry["where"] else ""
            change = f"{_value(entry['packaged'])} -> {_value(entry['placed'])}"
            lines.append(f"      {place}{entry['name']}: {change}")
    return lines


def _count(entries: Sequence[object]) -> str:
    return f"{len(entries)} difference" + ("" if len(entries) == 1 else "s")


def _value(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."
