"""What CI wants from a gate besides its exit status and its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labctl.gate import Gate


def tell_ci(gate: Gate) -> None:
    """On GitHub: annotations on standard error, and the job's summary.  Elsewhere nothing.

    GitHub reads commands from both streams; standard output may be JSON.  A summary that cannot be
    written is no reason to change a verdict.
    """
    from labctl.gate.github import render_annotations, render_summary

    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in render_annotations(gate):
        click.echo(line, err=True)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(render_summary(gate))
        except OSError as error:
            click.echo(f"The job's summary cannot be written: {error.strerror}.", err=True)
