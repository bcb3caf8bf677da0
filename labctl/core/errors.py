"""Errors that people read: what went wrong, where, and what to do about it.

Every error that labctl raises on purpose is a `LabError`.  Only `labctl.cli` turns them into
text and exit codes; nothing else prints or exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.core.exits import ExitCode

if TYPE_CHECKING:
    from labctl.core.findings import Finding


class LabError(Exception):
    """An error that a person can do something about.

    `message` is a whole sentence with names in single quotes; `hint` says what to do;
    `log` is the file with the details, if there is one; `finding` is the id under which doctor
    finds the same, if it does.
    """

    exit_code: int = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        log: Path | None = None,
        finding: Finding | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log
        self.finding = finding

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
    """One problem of a spec: the key path, what is wrong, and what is allowed."""

    key: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.key}: {self.message}{hint}"


class SpecError(LabError):
    """The spec (lab.conf and flags) has problems; all of them are reported at once."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem], *, source: str = "the spec") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} has {count} {noun}:\n{lines}")


class PackageError(LabError):
    """The packages themselves are at fault, not this machine.

    `labctl gate` counts this as a failure of the candidate.  After any other error while images
    are made it gives no verdict.  `package` is the one at fault, if it is known.
    """

    package: str | None = None


class UsageError(LabError):
    """The command line asks for something that does not exist or cannot be combined."""

    exit_code = ExitCode.USAGE
