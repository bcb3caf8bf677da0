"""How a crowd looks: live counters while it runs, a table at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Console as Terminal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.crowd.figures import Figures
from labctl.crowd.run import Show, Stage

LINE_EVERY = 5.0  # seconds between two lines where there is no terminal
REFRESHES = 4


@contextmanager
def counters(room: str) -> Iterator[Show]:
    """Counters on standard error: in place on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        board = Counters(room)
        with Live(
            get_renderable=board.render,
            console=Terminal(stderr=True, highlight=False),
            refresh_per_second=REFRESHES,
            transient=True,  # the table at the end says it all again
        ):
            yield board
    else:
        yield Lines(room)


def summary(figures: Figures) -> list[tuple[str, int]]:
    """The counters, in the order in which things happen to people."""
    return [
        ("asked", figures.asked),
        ("begun", figures.began),
        ("joined", figures.joined),
        *((f"on {vnode}", count) for vnode, count in sorted(figures.redirected.items())),
        ("invited", figures.invited),
        ("terminated", figures.terminated),
        ("invited again", figures.reinvited),
        ("removed", sum(figures.removed.values())),
        ("lost", sum(figures.lost.values())),
    ]


@dataclass(slots=True)
class Counters:
    """A block of counters that changes in place."""

    room: str
    started: float = field(default_factory=time.monotonic)
    stage: Stage = Stage.JOINING
    figures: Figures | None = None

    def __call__(self, stage: Stage, figures: Figures) -> None:
        self.stage, self.figures = stage, figures

    def render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        seconds = f"{time.monotonic() - self.started:6.1f}s"
        head = Text.assemble((seconds, "dim"), "  ", (self.stage, "cyan"))
        table.add_row(head, Text(f"room '{self.room}'", "bold"))
        for name, count in summary(self.figures) if self.figures is not None else ():
            bad = name in ("lost", "removed") and count > 0
            table.add_row(Text(name, "dim"), Text(f"{count:6}", "bold red" if bad else "bold"))
        return table


@dataclass(slots=True)
class Lines:
    """One line at every new stage and every few seconds."""

    room: str
    started: float = field(default_factory=time.monotonic)
    stage: Stage | None = None
    last: float = 0.0

    def __call__(self, stage: Stage, figures: Figures) -> None:
        now = time.monotonic()
        if stage is self.stage and now - self.last < LINE_EVERY:
            return
        if self.stage is None:
            click.echo(f"{0:6.1f}s  room '{self.room}'", err=True)
        self.stage, self.last = stage, now
        told = "  ".join(f"{name} {count}" for name, count in summary(figures) if count)
        click.echo(f"{now - self.started:6.1f}s  {stage:<24} {told}", err=True)


def print_figures(figures: Figures) -> None:
    """The table at the end, on standard output."""
    for name, count in summary(figures):
        click.echo(f"{name:<14} {count:6}")
    _print_reasons("lost", figures.lost)
    _print_reasons("removed", figures.removed)
    click.echo(f"\n{'phase':<12} {'count':>6} {'p50':>9} {'p95':>9} {'max':>9}")
    for name, one in figures.phases.items():
        times = " ".join(f"{value:8.3f}s" for value in (one.p50, one.p95, one.max))
        click.echo(f"{name:<12} {one.count:6} {times}")
    missing = figures.asked - figures.in_call
    words = "Everybody was in the call." if figures.well else f"Not in the call: {missing}."
    click.secho(f"\n{words}", fg="green" if figures.well else "red", bold=True)


def _print_reasons(title: str, reasons: object) -> None:
    assert isinstance(reasons, dict)
    for reason, count in reasons.items():
        click.echo(f"  {count:6} {title}: {reason}")
