"""`labctl graph`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from labctl.cli.common import json_option, load_lab
from labctl.cli.told import tell
from labctl.cli.up import read_spec, spec_options
from labctl.core.errors import UsageError
from labctl.core.files import write_file
from labctl.topology.workdir import Workdir

if TYPE_CHECKING:
    from labctl.graph import Picture
    from labctl.graph.health import State


class GraphFormat(StrEnum):
    """How the picture is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


SUFFIXES = {".svg": GraphFormat.SVG, ".mmd": GraphFormat.MERMAID, ".txt": GraphFormat.TEXT}


@click.command("graph")
@spec_options
@click.option("--running", is_flag=True, help="Draw the lab that runs, with its state.")
@click.option(
    "--format",
    "format_",
    type=click.Choice([str(each) for each in GraphFormat]),
    help="By default, as the file's name ends, else text.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a file (.svg, .mmd, .txt) instead of printing.",
)
@json_option
def graph_command(
    *, running: bool, format_: str | None, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Draw the lab: nodes, addresses, ports, and who opens which connection.

    By default this is the lab that 'labctl up' with the same flags would make.  Nothing is
    changed.  What is alike is drawn once if there is much of it, such as fifty bridges.

    \b
    labctl graph
    labctl graph --jvbs 3 --relays --turn
    labctl graph --running -o lab.svg
    labctl graph --format mermaid
    labctl graph --json | jq -r '.arrows[] | select(.talk == "s2s") | .ports'
    """
    wanted = _format(format_, output)
    picture = _running(options) if running else _planned(options)
    if as_json:
        from labctl.graph.facts import facts_of

        tell(facts_of(picture))
        return
    text = _render(picture, wanted, coloured=output is None)
    if output is None:
        click.echo(text, nl=False)
        return
    write_file(output, text)
    click.echo(output)


def _format(named: str | None, output: Path | None) -> GraphFormat:
    if named is not None:
        return GraphFormat(named)
    if output is None:
        return GraphFormat.TEXT
    if output.suffix not in SUFFIXES:
        raise UsageError(
            f"'{output.name}' does not say how the picture is to be written.",
            hint=f"Give '--format', or a name that ends in {', '.join(SUFFIXES)}.",
        )
    return SUFFIXES[output.suffix]


def _planned(options: dict[str, Any]) -> Picture:
    from labctl.graph import make_picture
    from labctl.lab.network import peek_network
    from labctl.topology.layout import resolve

    spec, _ = read_spec(options)
    return make_picture(resolve(peek_network(spec, workdir=Workdir.of(spec.lab))))


def _running(options: dict[str, Any]) -> Picture:
    from labctl.graph import make_picture
    from labctl.lab.status import read_status

    given = sorted(name for name, value in options.items() if value is not None and name != "lab")
    if given:
        raise UsageError(
            f"'--running' draws the lab as it is, so '--{given[0].replace('_', '-')}' means"
            " nothing with it.",
            hint="Omit one of the two.",
        )
    lab = load_lab(options["lab"])
    return make_picture(lab.topology, status=read_status(lab))


def _render(picture: Picture, wanted: GraphFormat, *, coloured: bool) -> str:
    match wanted:
        case GraphFormat.SVG:
            from labctl.graph.svg import render_svg

            return render_svg(picture)
        case GraphFormat.MERMAID:
            from labctl.graph.mermaid import render_mermaid

            return render_mermaid(picture)
        case GraphFormat.TEXT:
            from labctl.graph.text import plain, render_text

            # click takes colours away where standard output is no terminal.
            return render_text(picture, paint=_paint if coloured else plain)
        case _:
            assert_never(wanted)


def _paint(text: str, state: State) -> str:
    from labctl.graph.health import State

    colours = {State.GOOD: "green", State.BAD: "red", State.UNKNOWN: None}
    return click.style(text, fg=colours[state], bold=True) if text else text
