"""What `labctl crowd` refuses, and what it says before so many come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labctl.cli.common import progress_shown
from labctl.core.errors import UsageError
from labctl.core.progress import NOTICE

if TYPE_CHECKING:
    from labctl.topology.model import Topology


def check_size(topology: Topology, *, participants: int, visitors: int) -> None:
    """UsageError for a crowd of nobody, or for visitors if the lab has no vnodes."""
    if participants + visitors == 0:
        raise UsageError("A crowd needs at least one participant; raise '--participants'.")
    if visitors and not topology.vnodes:
        raise UsageError(
            f"Lab '{topology.lab}' has no vnodes, so nobody can be a visitor.",
            hint="Run 'labctl up --visitors 2' to make a lab with vnodes, or omit '--visitors'.",
        )


def check_media(participants: int, visitors: int, *, media: int, media_visitors: int) -> None:
    """UsageError if more participants have media than join."""
    for option, count, coming, who in (
        ("--media", media, participants, "participants"),
        ("--media-visitors", media_visitors, visitors, "visitors"),
    ):
        if count > coming:
            raise UsageError(
                f"'{option} {count}' is more than the {coming} {who} that come.",
                hint=f"Raise '--{who}' or lower '{option}'.",
            )


def check_processes(processes: int, visitors: int, *, count: int) -> None:
    """UsageError if some of `count` processes, so many on each machine, would have no visitors."""
    if count <= max(visitors, 1):
        return
    if count > processes:
        raise UsageError(
            f"'--machines' makes {count} processes, which is more than the {visitors} visitors"
            " without media.",
            hint="Only those are spread over machines. Raise '--visitors' or omit '--machines'.",
        )
    raise UsageError(
        f"'--processes {processes}' is more than the {visitors} visitors without media.",
        hint="Only those are spread over processes. Raise '--visitors' or omit '--processes'.",
    )


def check_machines(topology: Topology, *, keys: Path | None) -> None:
    """UsageError for a lab on one machine, or for secrets that would stay on the others."""
    if len(topology.machines) < 2:
        raise UsageError(
            f"Lab '{topology.lab}' is on this machine only, so '--machines' has no others.",
            hint="'hosts' in lab.conf spreads a lab of containers; '--processes' uses more cores"
            " of this machine.",
        )
    if keys is not None:
        raise UsageError(
            "'--tls-keys' takes the secrets of this machine's connections only.",
            hint="Omit '--machines', or '--tls-keys'.",
        )


def warn_of_needs(topology: Topology, *, participants: int, visitors: int) -> None:
    """Say beforehand which node is too small for so many: the kernel would end its programs."""
    from labctl.crowd.needs import node_needs
    from labctl.lab.fit import gib

    for need in node_needs(topology.nodes, participants=participants, visitors=visitors):
        if need.enough:
            continue
        with progress_shown() as progress:
            progress(
                NOTICE,
                f"'{need.node}' has {gib(need.has)} of memory, and a crowd of this size takes about"
                f" {gib(need.needed)} there. If the kernel ends its programs, everybody on them is"
                f" lost. Set 'roles.{need.role}.memory' in lab.conf and run 'labctl up'.",
            )
