"""What a shell completes: names of labs, nodes, drills, exercises, providers.

Whatever goes wrong here, the shell gets no names: an error would disturb what the user is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from labctl.core.errors import LabError
from labctl.lab.current import current_lab
from labctl.providers.table import TABLE
from labctl.topology.workdir import Workdir, lab_names

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_labs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The labs of this project."""
    return beginning(incomplete, ((name, "") for name in lab_names()))


def complete_nodes(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The nodes of the lab that is meant, with their addresses."""
    name = ctx.params.get("lab_name") or current_lab()
    try:
        topology = Workdir.of(name).load_topology()
    except (LabError, OSError):
        return []
    return beginning(incomplete, ((node.name, str(node.address)) for node in topology.nodes))


def complete_drills(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The drills, with what they do; after a comma, another one."""
    from labctl.drills import DRILLS

    before, comma, begun = incomplete.rpartition(",")
    found = beginning(begun, [("all", "Every drill"), *((it.name, it.title) for it in DRILLS)])
    return [CompletionItem(f"{before}{comma}{item.value}", help=item.help) for item in found]


def complete_exercises(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The exercises, with their titles."""
    from labctl.training.exercise import FOLDER, list_exercises

    try:
        exercises = list_exercises(ctx.params.get("folder") or FOLDER)
    except (LabError, OSError):
        return []
    return beginning(incomplete, ((it.name, it.title) for it in exercises))


def complete_providers(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What can run machines."""
    return beginning(incomplete, ((str(name), "") for name in TABLE))


def beginning(text: str, names: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """The names that begin with a text, each with its help."""
    return [
        CompletionItem(name, help=what or None) for name, what in names if name.startswith(text)
    ]
