"""Files that outlive the labctl that wrote them: each has a format, and old formats are migrated.

A file of labctl's first version may have no `format`; it is read as format 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from labctl.core.errors import LabError
from labctl.core.files import write_json

T = TypeVar("T")
Data = Mapping[str, Any]

FIRST_FORMAT = 1


class Flaw(StrEnum):
    """Why a state file cannot be used."""

    MISSING = "missing"
    DAMAGED = "damaged"
    NOT_A_FILE = "not a file"
    UNREADABLE = "unreadable"
    NEWER = "newer"
    FOREIGN = "foreign"
    """Undamaged, but about something else than its path says."""


class StateError(LabError):
    """A state file that cannot be used; `flaw` says why for programs."""

    def __init__(self, path: Path, flaw: Flaw, said: str, *, hint: str | None = None) -> None:
        self.path, self.flaw = path, flaw
        super().__init__(f"'{path}' {said}.", hint=hint)


@dataclass(frozen=True, slots=True)
class StateKind(Generic[T]):
    """A kind of state file: its current format, and how its data becomes a value.

    `migrations` turn the data of an older format into that of the next one.  `remedy` says what to
    do about a damaged file, `outgrown` about one that a newer labctl wrote.
    """

    format: int
    parse: Callable[[Data], T]
    remedy: str = "Make it again."
    outgrown: str = "Use the labctl that wrote it."
    migrations: Mapping[int, Callable[[Data], Data]] = field(default_factory=dict)


def load_state(path: Path, kind: StateKind[T]) -> T:
    """The value in a state file.  Errors: StateError."""
    return read_state(_load(path, kind), kind, path=path)


def save_state(path: Path, kind: StateKind[Any], data: Data, *, mode: int = 0o644) -> None:
    """Write a whole state file; it is on the disk when this returns."""
    write_json(path, {"format": kind.format, **data}, mode=mode, durable=True)


def read_state(data: object, kind: StateKind[T], *, path: Path) -> T:
    """The value of data that was read from `path`, whatever format it has.  Errors: StateError."""
    if not isinstance(data, dict):
        raise _damaged(path, kind, f"it holds a {type(data).__name__}, not an object")
    found = data.get("format", FIRST_FORMAT)
    if not isinstance(found, int) or isinstance(found, bool) or found < FIRST_FORMAT:
        raise _damaged(path, kind, f"it has format {found!r}, which no labctl wrote")
    if found > kind.format:
        said = (
            f"cannot be read: a newer labctl wrote it, in another format"
            f" ({found}; this one knows up to {kind.format})"
        )
        raise StateError(path, Flaw.NEWER, said, hint=kind.outgrown)
    try:
        return kind.parse(_migrated(data, kind, found))
    except KeyError as error:
        raise _damaged(path, kind, f"it lacks {error}") from error
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise _damaged(path, kind, str(error).rstrip(".")) from error


def read_document(data: object, kind: StateKind[T], *, name: str) -> T:
    """`read_state` for data that is not a file of its own.  Errors: StateError that names it."""
    return read_state(data, kind, path=Path(name))


def _migrated(data: Data, kind: StateKind[Any], found: int) -> Data:
    for number in range(found, kind.format):
        data = kind.migrations.get(number, dict)(data)
    return {**data, "format": kind.format}


def _load(path: Path, kind: StateKind[Any]) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StateError(path, Flaw.MISSING, "is missing", hint=kind.remedy) from None
    except (IsADirectoryError, NotADirectoryError):
        hint = "Remove it or give it another name."
        raise StateError(path, Flaw.NOT_A_FILE, "is not a file", hint=hint) from None
    except OSError as error:
        raise StateError(path, Flaw.UNREADABLE, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _damaged(path, kind, _words(error)) from error
    except RecursionError as error:
        raise _damaged(path, kind, "it is nested too deeply") from error


def _words(error: ValueError) -> str:
    """Why the file is not JSON, in plain words."""
    if not isinstance(error, json.JSONDecodeError):
        return "it is not text"
    text = error.doc.rstrip("\x00 \t\r\n")
    if not text:
        return "it is empty"
    cut = error.pos >= len(text) or "Unterminated" in error.msg
    return "it ends too early" if cut else f"line {error.lineno} is not JSON"


def _damaged(path: Path, kind: StateKind[Any], said: str) -> StateError:
    said = f"is damaged and cannot be read: {said}"
    return StateError(path, Flaw.DAMAGED, said, hint=kind.remedy)
