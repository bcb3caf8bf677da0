"""What a lab's folder holds for the live views: drills, the last crowd, an exercise's text.

The files are read when they have changed; one that cannot be read is named and not raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labctl.core.errors import LabError
from labctl.core.state import load_state
from labctl.crowd.record import CrowdRecord
from labctl.drills.journal import JOURNAL, journal_path
from labctl.report.drill import DrillRecord, drills_from_json
from labctl.topology.workdir import Workdir

T = TypeVar("T")
DRILLS, CROWD = "drills.json", "crowd.json"
EXERCISES = ("exercise.md", "exercise.txt")
"""The first of these that is there is the text of the exercise that the lab is used for."""
MOST_TEXT = 65536
"""Bytes of an exercise's text that are read."""
MOST_RECORD = 8 * 1024 * 1024
"""A record that is larger was not written by labctl."""


@dataclass(frozen=True, slots=True)
class Records:
    """What was found; `problems` are sentences about files that could not be read."""

    drills: tuple[DrillRecord, ...] = ()
    crowd: CrowdRecord | None = None
    crowd_ended: float = 0.0
    """In seconds since 1970."""
    exercise: str = ""
    problems: tuple[str, ...] = ()


def records_mark(folder: Workdir) -> str:
    """A text that changes when one of the files does."""
    return " ".join(_marks(folder))


def load_records(folder: Workdir) -> Records:
    """Read the files that are there."""
    problems: list[str] = []
    drills = _read(folder.path / DRILLS, drills_from_json, problems)
    crowd = _read(folder.path / CROWD, CrowdRecord.from_json, problems)
    return Records(
        drills=drills or (),
        crowd=crowd,
        crowd_ended=_changed(folder.path / CROWD),
        exercise=_exercise(folder),
        problems=tuple(problems),
    )


def running_drill(folder: Workdir) -> str:
    """The name of the drill that is running or was interrupted; empty if there is none."""
    path = journal_path(folder)
    if not path.exists():
        return ""
    try:
        return load_state(path, JOURNAL).drill
    except LabError:
        return "unknown"


def _marks(folder: Workdir) -> Iterator[str]:
    for name in (DRILLS, CROWD, *EXERCISES):
        try:
            seen = (folder.path / name).stat()
        except OSError:
            continue
        yield f"{name}:{seen.st_mtime_ns}:{seen.st_size}"


def _read(path: Path, parse: Callable[[object], T], problems: list[str]) -> T | None:
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_RECORD:
            raise ValueError("it is too large")
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        problems.append(f"'{path.name}' cannot be read: {error}.")
    except LabError as error:
        problems.append(f"'{path.name}' cannot be read: {error.message}")
    return None


def _changed(path: Path) -> float:
    """When a file was written, in seconds since 1970; 0 if it is not there (any more)."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _exercise(folder: Workdir) -> str:
    for name in EXERCISES:
        path = folder.path / name
        if path.is_file():
            try:
                with path.open("rb") as file:
                    return file.read(MOST_TEXT).decode("utf-8", errors="replace")
            except OSError:
                return ""
    return ""
