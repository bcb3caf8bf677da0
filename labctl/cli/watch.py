"""`labctl watch`: a running lab, live in the terminal."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from labctl.cli.common import json_option, lab_option, load_lab
from labctl.core.errors import UsageError

if TYPE_CHECKING:
    from labctl.cli.watchapp import Visit
    from labctl.topology.lab import Lab

LOG_LINES = 200


@click.command("watch")
@lab_option
@click.option("--once", is_flag=True, help="Print the lab's state once, as text, and end.")
@click.option("--theme", type=click.Choice(["auto", "dark", "light"]), default="auto",
              show_default=True, help="The colours; 'auto' asks the terminal.")  # fmt: skip
@json_option
def watch_command(lab_name: str | None, *, once: bool, theme: str, as_json: bool) -> int:
    """Show a running lab live in the terminal: nodes, bridges, vnodes, log.

    Every node is asked every two seconds.  Keys: arrows and Tab choose a row, 'l' shows the logs of
    its node, 's' opens a shell there, 'f' shows only its lines in the log, 't' changes the
    colours, 'q' ends.  With --once or --json, the exit status is 1 if something is missing.

    \b
    labctl watch
    labctl watch --lab course --theme light
    labctl watch --once
    labctl watch --json | jq '.bridges[] | {nick, stress, endpoints}'
    """
    if not (once or as_json):
        want_terminal()
        show(load_lab(lab_name), theme=theme)
        return 0
    from labctl.live.source import take_once
    from labctl.live.text import render_snapshot

    snapshot = take_once(load_lab(lab_name))
    text = json.dumps(snapshot.to_json(), indent=2) if as_json else render_snapshot(snapshot)
    click.echo(text)
    return 0 if snapshot.healthy else 1


def want_terminal() -> None:
    """UsageError where a live view cannot be shown."""
    from labctl.cli.watchapp import is_terminal

    if not is_terminal():
        raise UsageError(
            "The live view needs a terminal for its input and output.",
            hint="Use 'labctl watch --once', or 'labctl watch --json' for programs.",
        )


def show(lab: Lab, *, theme: str = "auto") -> None:
    """Show the lab until the user leaves.  Errors: those of `LiveLab`."""
    from functools import partial

    from labctl.cli.watchapp import WatchApp, choose_theme
    from labctl.live.source import LiveLab

    with LiveLab(lab) as live:
        chosen = choose_theme(theme, environment=os.environ)
        WatchApp(live, go=partial(visit, lab), theme=chosen).run()


def visit(lab: Lab, what: Visit, node: str) -> None:
    """Show a node's logs as they grow, or open a shell there, until the user leaves."""
    from pathlib import Path

    from labctl.core.process import pass_through

    click.echo(f"'{node}': {leaving(what)} to come back to the view.")
    words = visit_words(lab, what, node)
    pass_through(words, cwd=Path.cwd(), env={})


def leaving(what: Visit) -> str:
    """How to leave what was visited."""
    return "Ctrl-C" if what == "logs" else "'exit'"


def visit_words(lab: Lab, what: Visit, node: str) -> list[str]:
    """The program that visits a node."""
    import shlex

    from labctl.live.question import logs_of

    words = ["ssh", "-F", str(lab.folder.ssh_config), "-t", node]
    if what == "shell":
        return words
    files = shlex.join(logs_of(lab.topology.node(node)))
    return [*words, "--", f"sudo tail -n {LOG_LINES} -F {files}"]
