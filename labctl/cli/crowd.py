"""`labctl crowd`: participants without browsers, counted while they come and stay."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.common import json_option, lab_option, load_lab, progress_shown
from labctl.cli.crowdchecks import (
    check_machines,
    check_media,
    check_processes,
    check_size,
    warn_of_needs,
)
from labctl.core.exits import ExitCode

if TYPE_CHECKING:
    from labctl.crowd.run import CrowdOutcome, CrowdPlan
    from labctl.crowd.shares import Place
    from labctl.providers.base import CrowdHost
    from labctl.topology.lab import Lab

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic for type checkers only

UNITS = {"": 1.0, "s": 1.0, "min": 60.0}


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
            self.fail(f"'{value}' is not a valid rate; use '10/s' or '90/min'.", param, ctx)
        return rate


class Room(ParamType):
    """A room's name as people type it into the address of a conference."""

    name = "room"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from labctl.crowd.errors import CrowdError
        from labctl.crowd.names import RoomName

        try:
            return RoomName.of(str(value)).path
        except CrowdError as error:
            self.fail(error.message, param, ctx)


@click.command("crowd")
@click.option("--participants", default=30, show_default=True, type=click.IntRange(0, 5000),
              metavar="N", help="How many join the room.")  # fmt: skip
@click.option("--visitors", default=0, show_default=True, type=click.IntRange(0, 20_000),
              metavar="N", help="How many more join as visitors.")  # fmt: skip
@click.option("--hold", default=60.0, show_default=True, type=click.FloatRange(0, 86_400),
              metavar="SECONDS", help="How long they stay once all have joined.")  # fmt: skip
@click.option("--rate", default="10/s", show_default=True, type=Rate(), metavar="N/s",
              help="How many begin to join per second.")  # fmt: skip
@click.option("--media", default=0, show_default=True, type=click.IntRange(0, 500), metavar="N",
              help="How many of the participants send and receive sound and picture.")  # fmt: skip
@click.option(
    "--media-kind",
    default="both",
    show_default=True,
    type=click.Choice(["audio", "video", "both"]),
    help="What they send and receive.",
)
@click.option("--media-visitors", default=0, show_default=True, type=click.IntRange(0, 500),
              metavar="N", help="How many of the visitors receive media.")  # fmt: skip
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64),
              metavar="N", help="How many processes the visitors are spread over.")  # fmt: skip
@click.option(
    "--machines",
    is_flag=True,
    help="Spread the visitors over all machines of the lab, with these processes on each.",
)
@click.option("--browsers", default=0, type=click.IntRange(0, 20), metavar="N",
              help="Use N participants in Chromium instead, with sound and picture.")  # fmt: skip
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder for browsers' pictures; the lab's by default.")  # fmt: skip
@click.option("--tls-keys", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Add the secrets of their TLS connections to FILE, for Wireshark.")  # fmt: skip
@click.option("--room", type=Room(), metavar="NAME",
              help="The room as people type it; by default a new one.")  # fmt: skip
@json_option
@lab_option
def crowd_command(
    *,
    participants: int,
    visitors: int,
    hold: float,
    rate: float,
    media: int,
    media_kind: str,
    media_visitors: int,
    processes: int,
    machines: bool,
    browsers: int,
    report: Path | None,
    tls_keys: Path | None,
    room: str | None,
    as_json: bool,
    lab_name: str | None,
) -> int:
    """Let participants join a room, stay and leave.

    The exit status is 1 if a participant was lost or not invited.

    These participants have no browsers: each logs in through nginx, asks Jicofo, goes where it
    is sent, answers its invitation and sends pings.  With '--media N', N of them do ICE, DTLS and
    SRTP with the bridge and send recordings; the exit status is then also 1 if one does not hear
    or see another.  Ctrl-C lets them leave.

    \b
    labctl crowd --participants 30 --visitors 200 --hold 60
    labctl crowd --participants 35 --rate 2/s --room demo
    labctl crowd --participants 2 --room 'Acme/Büro 1'
    labctl crowd --visitors 500 --rate 50/s --json | jq .phases
    labctl crowd --participants 6 --media 4
    labctl crowd --visitors 8000 --rate 100/s --processes 2
    labctl crowd --visitors 12000 --rate 300/s --machines
    labctl crowd --participants 20 --media 20 --media-kind audio --hold 30
    labctl crowd --browsers 2 --hold 20 --report out
    labctl crowd --participants 2 --tls-keys keys.log
    """
    lab = load_lab(lab_name)
    if browsers:
        from labctl.cli.browsers import BrowserPlan, has_original_page, run_browsers

        room = room or f"browsers-{secrets.token_hex(3)}"
        pictures = report or lab.folder.path / "pictures"
        wanted = BrowserPlan(
            room, browsers, hold, pictures, own_page=not has_original_page(lab), keys=tls_keys
        )
        return run_browsers(lab, wanted, as_json=as_json)
    from labctl.crowd.media.options import MediaKind, MediaOptions
    from labctl.crowd.run import CrowdPlan, MediaPlan
    from labctl.crowd.shares import find_places

    topology = lab.topology
    check_size(topology, participants=participants, visitors=visitors)
    check_media(participants, visitors, media=media, media_visitors=media_visitors)
    if machines:
        check_machines(topology, keys=tls_keys)
    count = processes * (len(topology.machines) if machines else 1)
    check_processes(processes, visitors - media_visitors, count=count)
    plan = CrowdPlan(participants, visitors, hold, rate)
    if media or media_visitors:
        options = MediaOptions.of(topology, MediaKind(media_kind))
        plan = replace(plan, media=MediaPlan(media, media_visitors, options))
    warn_of_needs(topology, participants=participants, visitors=visitors)
    room = room or f"crowd-{secrets.token_hex(3)}"
    hosts = prepare_hosts(lab, processes=processes) if machines else ()
    outcome = run(lab, room, plan, places=find_places(processes, hosts), keys=tls_keys)
    from labctl.core.files import write_json
    from labctl.crowd.record import CrowdRecord

    record = CrowdRecord(
        lab=lab.topology.lab,
        room=room,
        interrupted=outcome.interrupted,
        participants=participants,
        visitors=visitors,
        hold=hold,
        rate=rate,
        processes=processes,
        machines=outcome.machines,
        with_media=plan.media.total if plan.media is not None else None,
        figures=outcome.figures,
    )
    # For whoever looks at the lab later: 'labctl serve' shows it.
    write_json(lab.folder.path / "crowd.json", record.to_json())
    if as_json:
        click.echo(json.dumps(record.to_json(), indent=2))
    else:
        from labctl.cli.crowdtable import print_figures

        print_figures(outcome.figures, machines=outcome.machines)
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    return 0 if outcome.figures.well else 1


def prepare_hosts(lab: Lab, *, processes: int) -> Sequence[CrowdHost]:
    """Make the lab's other machines ready, which takes a while the first time."""
    from labctl.providers.table import provider_of

    with progress_shown() as progress:
        provider = provider_of(lab.topology.provider)
        return provider.crowd_hosts(lab, processes=processes, progress=progress)


def run(
    lab: Lab,
    room: str,
    plan: CrowdPlan,
    *,
    places: Sequence[Place] = (),
    keys: Path | None = None,
) -> CrowdOutcome:
    """Run the crowd in a loop of its own; the first Ctrl-C lets it leave, a second ends it."""
    from labctl.cli.crowdtable import counters
    from labctl.crowd import Target
    from labctl.crowd.many import run_many
    from labctl.crowd.run import spare_collector
    from labctl.crowd.sync import new_loop

    spare_collector()
    target = Target.of(lab, keys=keys)
    with counters(room) as show, asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run_many(target, room, plan, places=places, show=show))
