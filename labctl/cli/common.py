"""What several verbs share: the choice of the lab, and how progress looks."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from labctl.cli.complete import complete_labs, complete_providers
from labctl.core.errors import UsageError
from labctl.core.process import is_announcing
from labctl.core.progress import NOTICE, Progress
from labctl.lab.current import current_lab
from labctl.providers.table import TABLE
from labctl.topology.lab import Lab
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import LAB_NAME, LAB_NAME_WORDS, RESERVED_NAMES, Workdir

NOTICE_WIDTH = 78
SUMMARY_NAME = 10
"""The width of the names in a summary, with the blanks after them."""
F = TypeVar("F", bound=Callable[..., Any])


def lab_option(function: F, *, parameter: str = "lab_name") -> F:
    """`--lab NAME`, or LABCTL_LAB, or the lab that was used last; see `load_lab`."""
    return click.option(
        "--lab",
        parameter,
        envvar="LABCTL_LAB",
        metavar="NAME",
        shell_complete=complete_labs,
        help="The lab; by default, the one used last.",
    )(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def provider_option(function: F) -> F:
    """`--provider NAME`, for verbs that work on one provider or on all."""
    return click.option(
        "--provider",
        metavar="NAME",
        shell_complete=complete_providers,
        help="This provider only; all by default.",
    )(function)


def parse_provider(name: str | None) -> ProviderName | None:
    """The provider of that name; None if no name is given.  Errors: UsageError."""
    if name is None:
        return None
    known = list(map(str, TABLE))
    if name not in known:
        hint = f"Known providers: {', '.join(known)}."
        raise UsageError(f"--provider: there is no provider '{name}'.", hint=hint)
    return ProviderName(name)


def workdir_of(lab_name: str | None) -> Workdir:
    """The folder of the lab that the user means, whether the lab exists or not.

    Errors: UsageError for an invalid name, which could lead to another folder.
    """
    name = lab_name or current_lab()
    if name in RESERVED_NAMES or not LAB_NAME.fullmatch(name):
        hint = f"A lab's name must be {LAB_NAME_WORDS}."
        named = "--lab" if lab_name else ".lab/current"
        raise UsageError(f"{named}: '{name}' is not a valid name for a lab.", hint=hint)
    return Workdir.of(name)


def load_lab(lab_name: str | None) -> Lab:
    """The lab that the user means.  Errors: LabError if it does not exist."""
    return Lab.load(workdir_of(lab_name))


def summary_line(name: str, text: str) -> str:
    """A line of a summary; on a terminal, a long text is wrapped below itself."""
    indent = f"  {name:<{SUMMARY_NAME}}"
    if not sys.stdout.isatty():
        return f"{indent}{text}"
    return textwrap.fill(
        text,
        shutil.get_terminal_size().columns,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Progress on standard error: a board on a terminal, plain lines elsewhere and with `-v`."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not is_announcing():
        from labctl.cli.board import Board

        with Board() as board:
            yield board
    else:
        yield Console()


@dataclass(slots=True)
class Console:
    """Plain lines: seconds since the start, phase, node, message."""

    started: float = field(default_factory=time.monotonic)

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        if phase == NOTICE:
            self._notice(message)
            return
        seconds = time.monotonic() - self.started
        click.echo(f"{seconds:6.1f}s  {phase:<9} {node or '':<10} {message}", err=True)

    def _notice(self, message: str) -> None:
        """A block that cannot be overlooked."""
        rule = "!" * NOTICE_WIDTH
        wrapped = [
            part
            for line in message.splitlines()
            for part in textwrap.wrap(line, NOTICE_WIDTH - 3) or [""]
        ]
        lines = "\n".join(f"!  {part}" for part in wrapped)
        click.echo(f"\n{rule}\n{lines}\n{rule}\n", err=True)
