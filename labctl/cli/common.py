"""What several verbs share: the choice of the lab, and how progress looks."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from labctl.capabilities import TABLE
from labctl.errors import UsageError
from labctl.lab.current import current_lab
from labctl.model import Provider
from labctl.progress import NOTICE, Progress
from labctl.waiting import set_patience
from labctl.workdir import Workdir

NOTICE_WIDTH = 78
F = TypeVar("F", bound=Callable[..., Any])


def lab_option(function: F) -> F:
    """`--lab NAME`, or LABCTL_LAB, or the lab that was used last."""
    return click.option(
        "--lab",
        envvar="LABCTL_LAB",
        metavar="NAME",
        help="The lab; the one used last where it is not given.",
    )(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def provider_option(function: F) -> F:
    """`--provider NAME`, for verbs that look at one provider or at all of them."""
    return click.option(
        "--provider", metavar="NAME", help="This provider only; all where it is not given."
    )(function)


def parse_provider(name: str | None) -> Provider | None:
    """The provider of that name, None for none.  Errors: UsageError."""
    if name is None:
        return None
    known = list(map(str, TABLE))
    if name not in known:
        hint = f"There are: {', '.join(known)}."
        raise UsageError(f"There is no provider '{name}'.", hint=hint)
    return Provider(name)


def workdir_of(lab: str | None) -> Workdir:
    """The working directory of the lab that the user means; its patience is ours from now on."""
    workdir = Workdir.of(lab or current_lab())
    set_patience(workdir.patience)
    return workdir


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Progress on standard error: a board on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
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
