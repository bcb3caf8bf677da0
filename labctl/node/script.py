"""What to run on a node: words that no shell splits, or a text that a shell reads."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from labctl.node.sections import FUNCTION


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments; each word arrives as it is."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class ShellScript:
    """A text for the node's POSIX shell.  Process lists show it, so it must not hold secrets."""

    text: str


Work = Command | ShellScript


def sectioned(body: str) -> ShellScript:
    """A script that answers in named sections; `section NAME` begins one.

    `labctl.node.sections` reads the answer.
    """
    return ShellScript(FUNCTION + body)


def title_of(work: Work) -> str:
    """A short name for messages: the command, or the first relevant line of a script."""
    lines = [line.strip() for line in work.text.removeprefix(FUNCTION).splitlines()]
    told = [line for line in lines if line and not line.startswith("#")] or [""]
    return told[0] + (" ..." if len(told) > 1 else "")
