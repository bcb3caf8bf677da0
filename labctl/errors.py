"""Errors that people read: what went wrong, where, and what to do about it.

Every error that labctl raises on purpose is a `LabError`.  Only `labctl.cli` turns them into
text and exit codes; nothing else prints or exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class LabError(Exception):
    """Something went wrong that a person can act on.

    `message` is a whole sentence with names in single quotes; `hint` says what to do;
    `log` is the file that holds the details, where there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.message, self.hint, self.log) == (
            other.message,
            other.hint,
            other.log,
        )

    def __hash__(self) -> int:
        return hash((self.message, self.hint, self.log))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a spec: its key path, what was said, what is allowed."""

    key: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.key}: {self.message}{hint}"


class SpecError(LabError):
    """The spec (lab.conf and flags) has problems; all of them are reported at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], *, source: str = "the spec") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} has {count} {noun}:\n{lines}")


class PackageError(LabError):
    """The packages themselves are at fault: what is wrong is in them, not in this machine.

    `labctl gate` takes this as the candidate's failure, and every other error of making images
    as a reason not to judge.  `package` is the one at fault, where that is known.
    """

    package: str | None = None


class UsageError(LabError):
    """The command line asks for something that does not exist or cannot be combined."""

    exit_code = 2
