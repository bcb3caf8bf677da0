"""Shows a crowd: live counters while it runs, a table at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Console as Terminal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.crowd.figures import Figures
from labctl.crowd.media.figures import MediaFigures
from labctl.crowd.run import CrowdStage, Show

LINE_EVERY = 5.0  # seconds between two lines where there is no terminal
REFRESHES = 4
BAD = ("lost", "removed", "media failed", "audio silent", "video silent")


@contextmanager
def counters(room: str) -> Iterator[Show]:
    """Counters on standard error: in place on a terminal, else a line every few seconds."""
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
        *(media_summary(figures.media) if figures.media is not None else ()),
    ]


def media_summary(media: MediaFigures) -> Iterator[tuple[str, int]]:
    """The counters of media, in the order in which media comes about."""
    yield "media up", media.connected
    yield "media failed", sum(media.failed.values())
    yield "channel up", media.channels
    for name, one in media.kinds.items():
        yield f"all {name}", one.complete
        yield f"{name} silent", one.silent
        yield f"{name} lost", one.lost


@dataclass(slots=True)
class Counters:
    """A block of counters that changes in place."""

    room: str
    started: float = field(default_factory=time.monotonic)
    stage: CrowdStage = CrowdStage.JOINING
    figures: Figures | None = None

    def __call__(self, stage: CrowdStage, figures: Figures) -> None:
        self.stage, self.figures = stage, figures

    def render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        seconds = f"{time.monotonic() - self.started:6.1f}s"
        head = Text.assemble((seconds, "dim"), "  ", (self.stage, "cyan"))
        table.add_row(head, Text(f"room '{self.room}'", "bold"))
        for name, count in summary(self.figures) if self.figures is not None else ():
            bad = name in BAD and count > 0
            table.add_row(Text(name, "dim"), Text(f"{count:6}", "bold red" if bad else "bold"))
        return table


@dataclass(slots=True)
class Lines:
    """One line at every new stage and every few seconds."""

    room: str
    started: float = field(default_factory=time.monotonic)
    stage: CrowdStage | None = None
    last: float = 0.0

    def __call__(self, stage: CrowdStage, figures: Figures) -> None:
        now = time.monotonic()
        if stage is self.stage and now - self.last < LINE_EVERY:
            return
        if self.stage is None:
            click.echo(f"{0:6.1f}s  room '{self.room}'", err=True)
        self.stage, self.last = stage, now
        told = "  ".join(f"{name} {count}" for name, count in summary(figures) if count)
        click.echo(f"{now - self.started:6.1f}s  {stage:<24} {told}", err=True)


def print_figures(figures: Figures, *, machines: Mapping[str, int] | None = None) -> None:
    """The table at the end, on standard output; `machines` are those that visitors came from."""
    for name, count in summary(figures):
        click.echo(f"{name:<14} {count:6}")
    for name, count in (machines or {}).items():
        click.echo(f"visitors from '{name}': {count}")
    _print_reasons("lost", figures.lost)
    _print_reasons("removed", figures.removed)
    click.echo(f"\n{'phase':<12} {'count':>6} {'p50':>9} {'p95':>9} {'max':>9}")
    for name, one in figures.phases.items():
        times = " ".join(f"{value:8.3f}s" for value in (one.p50, one.p95, one.max))
        click.echo(f"{name:<12} {one.count:6} {times}")
    if figures.media is not None:
        _print_media(figures.media)
    missing = figures.asked - figures.in_call
    words = "Everybody was in the call." if not missing else f"Not in the call: {missing}."
    if figures.media is not None and not missing:
        words = _media_words(figures.media)
    click.secho(f"\n{words}", fg="green" if figures.well else "red", bold=True)


def _print_media(media: MediaFigures) -> None:
    """What arrived, by kind, and why not."""
    where = ", ".join(f"{name} ({count})" for name, count in media.bridges.items())
    click.echo(f"\nmedia of {media.connected} of {media.asked} through {where or 'no bridge'}")
    _print_reasons("failed", media.failed)
    head = ("sources", "packets", "kbyte", "lost", "jitter p95", "gap p50", "gap max")
    click.echo(f"{'':<12} " + " ".join(f"{name:>10}" for name in head))
    for name, one in media.kinds.items():
        jitter = one.jitter.p95 if one.jitter is not None else 0.0
        median, longest = (one.gap.p50, one.gap.max) if one.gap is not None else (0.0, 0.0)
        counts = f"{one.sources:10} {one.packets:10} {one.bytes // 1000:10} {one.loss:10.2%}"
        times = " ".join(f"{value * 1000:8.1f}ms" for value in (jitter, median, longest))
        click.echo(f"{name:<12} {counts} {times}")


def _media_words(media: MediaFigures) -> str:
    if media.well:
        return "Everybody was in the call, and all media passed."
    missing = [
        f"{media.asked - one.complete} without all {name}"
        for name, one in media.kinds.items()
        if one.complete < media.asked
    ]
    return f"Everybody was in the call; media did not pass: {', '.join(missing) or 'see above'}."


def _print_reasons(title: str, reasons: object) -> None:
    assert isinstance(reasons, dict)
    for reason, count in reasons.items():
        click.echo(f"  {count:6} {title}: {reason}")
