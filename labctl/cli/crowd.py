"""`labctl crowd`: participants without browsers, counted while they come and stay."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.common import json_option, lab_option, workdir_of
from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.crowd.run import Outcome, Plan
    from labctl.model import Topology
    from labctl.workdir import Workdir

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic for type checkers only

INTERRUPTED = 130
UNITS = {"": 1.0, "s": 1.0, "min": 60.0}
ROOM = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Rate(ParamType):
    """How many a second: '10', '10/s' or '90/min'."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number, _, unit = str(value).partition("/")
        try:
            rate = float(number) / UNITS[unit.strip()]
        except (ValueError, KeyError):
            rate = 0.0
        if not 0 < rate <= 10_000:
            self.fail(f"'{value}' is no rate; say '10/s' or '90/min'.", param, ctx)
        return rate


class Room(ParamType):
    """The local part of a room's address, as Jitsi takes it from a URL."""

    name = "room"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        room = str(value).lower()
        if not ROOM.fullmatch(room):
            self.fail(f"'{value}' is no room; use letters, digits, '.', '_' and '-'.", param, ctx)
        return room


@click.command("crowd")
@click.option("--participants", default=30, show_default=True, type=click.IntRange(0, 5000))
@click.option("--visitors", default=0, show_default=True, type=click.IntRange(0, 20_000),
              help="How many ask to be visitors from the start.")  # fmt: skip
@click.option("--hold", default=60.0, show_default=True, type=click.FloatRange(0, 86_400),
              metavar="SECONDS", help="How long they stay when all are in.")  # fmt: skip
@click.option("--rate", default="10/s", show_default=True, type=Rate(), metavar="N/s",
              help="How many begin to join per second.")  # fmt: skip
@click.option("--room", type=Room(), metavar="NAME", help="The room; a fresh one otherwise.")
@json_option
@lab_option
def crowd_command(
    *,
    participants: int,
    visitors: int,
    hold: float,
    rate: float,
    room: str | None,
    as_json: bool,
    lab: str | None,
) -> int:
    """Let a crowd join a room, stay and leave; exit status 1 where one was lost or not invited.

    They are participants without browsers and without media: each logs in through nginx, asks
    Jicofo, goes where it is sent, answers its invitation and pings.  Ctrl-C lets them leave.

    \b
    labctl crowd --participants 30 --visitors 200 --hold 60
    labctl crowd --participants 35 --rate 2/s --room demo
    labctl crowd --visitors 500 --rate 50/s --json | jq .phases
    """
    from labctl.crowd.run import Plan

    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    check_size(topology, participants=participants, visitors=visitors)
    plan = Plan(participants, visitors, hold, rate)
    room = room or f"crowd-{secrets.token_hex(3)}"
    outcome = run(workdir, topology, room, plan)
    if as_json:
        asked = {"participants": participants, "visitors": visitors, "hold": hold, "rate": rate}
        told = {"lab": topology.lab, "room": room, "interrupted": outcome.interrupted, **asked}
        click.echo(json.dumps({**told, **outcome.figures.to_json()}, indent=2))
    else:
        from labctl.cli.crowdtable import print_figures

        print_figures(outcome.figures)
    if outcome.interrupted:
        return INTERRUPTED
    return 0 if outcome.figures.well else 1


def check_size(topology: Topology, *, participants: int, visitors: int) -> None:
    """UsageError for a crowd of nobody, or for visitors where nothing takes them."""
    if participants + visitors == 0:
        raise UsageError("A crowd of nobody proves nothing; raise '--participants'.")
    if visitors and not topology.vnodes:
        raise UsageError(
            f"Lab '{topology.lab}' has no vnodes, so nobody can be a visitor.",
            hint="Make a lab with 'labctl up --visitors 2', or leave '--visitors' out.",
        )


def run(workdir: Workdir, topology: Topology, room: str, plan: Plan) -> Outcome:
    """Run the crowd in a loop of its own; the first Ctrl-C lets it leave, a second ends it."""
    from labctl.cli.crowdtable import counters
    from labctl.crowd import Target
    from labctl.crowd.run import run_crowd, spare_collector
    from labctl.crowd.sync import new_loop

    spare_collector()
    with counters(room) as show, asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run_crowd(Target.of(topology, workdir), room, plan, show=show))
