"""What several verbs share: the choice of the lab, and how progress looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from labctl.lab.current import current_lab
from labctl.progress import NOTICE
from labctl.workdir import Workdir

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


def workdir_of(lab: str | None) -> Workdir:
    """The working directory of the lab that the user means."""
    return Workdir.of(lab or current_lab())


@dataclass(slots=True)
class Console:
    """Progress on standard error: seconds since the start, phase, node, message.

    On a terminal phases have colours and what repeats is dimmed; elsewhere lines are plain.
    """

    started: float = field(default_factory=time.monotonic)
    last: tuple[str, str | None] | None = None

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        if phase == NOTICE:
            self._notice(message)
            return
        seconds = f"{time.monotonic() - self.started:6.1f}s"
        again = (phase, node) == self.last
        self.last = (phase, node)
        head = click.style(f"{phase:<9}", fg="cyan", dim=again)
        who = click.style(f"{node or '':<10}", bold=not again)
        click.echo(f"{click.style(seconds, dim=True)}  {head} {who} {message}", err=True)
        sys.stderr.flush()

    def _notice(self, message: str) -> None:
        """A block that cannot be overlooked."""
        rule = "!" * 78
        click.secho(f"\n{rule}", fg="yellow", err=True)
        for line in message.splitlines():
            click.secho(f"!  {line}", fg="yellow", bold=True, err=True)
        click.secho(f"{rule}\n", fg="yellow", err=True)
