"""`labctl up`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from labctl.cli.common import json_option, lab_option, progress_shown
from labctl.imageplan import Installed
from labctl.lab.current import current_lab
from labctl.lab.saved import load_saved
from labctl.model import Spec
from labctl.packages import Origin
from labctl.spec import load_spec
from labctl.workdir import Workdir, locked

F = TypeVar("F", bound=Callable[..., Any])
CONFIG = Path("lab.conf")


def spec_options(function: F) -> F:
    """The flags that say what the lab should be; each has its key in lab.conf."""
    options = [
        click.option("--config", type=click.Path(path_type=Path), metavar="FILE",
                     help="The lab.conf to read; ./lab.conf where there is one."),
        click.option("--jvbs", metavar="N", help="Bridges beside the JMS's own (0-50)."),
        click.option("--visitors", metavar="N", help="Visitor Prosodies (0-64)."),
        click.option("--visitors-per-node", metavar="N", help="Visitor Prosodies per machine."),
        click.option("--visitors-layout", metavar="WORD",
                     help="nodes: visitor Prosodies have machines; local: all on the JMS."),
        click.option("--max-participants", metavar="N",
                     help="Who joins after that many is a visitor."),
        click.option("--relays/--no-relays", default=None,
                     help="Let a conference span several bridges."),
        click.option("--turn/--no-turn", default=None, help="Run coturn on the JMS."),
        click.option("--domain", metavar="NAME", help="The conference domain."),
        click.option("--network", metavar="CIDR", help="The lab's network."),
        click.option("--provider", metavar="NAME",
                     help="What runs the machines: docker, libvirt, virtualbox or auto."),
        click.option("--packages", metavar="SOURCE",
                     help="auto, stand-ins, jitsi[:CHANNEL|:FILE], debs:DIR or debs:FILES."),
        lab_option,
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def read_spec(options: dict[str, Any]) -> tuple[Spec, dict[str, Any]]:
    """The spec that the flags, lab.conf and the lab's last run make together."""
    flags = {key.replace("_", "-"): value for key, value in options.items()}
    config = flags.pop("config")
    if config is None and CONFIG.is_file():
        config = CONFIG
    # The name decides whose last run counts, so it is looked up before anything is checked.
    name = flags["lab"] or (current_lab() if config is None else None)
    saved = load_saved(Workdir.of(name)) if name else {}
    if config is None:
        flags["lab"] = name
    return load_spec(config, flags, saved=saved)


def describe(packages: Mapping[str, Installed]) -> str:
    """One line on where Jitsi's packages come from; stand-ins are never passed over."""
    stand_ins = [name for name, item in packages.items() if item.stand_in]
    real = [
        f"{name} {item.version} ({item.origin})"
        for name, item in packages.items()
        if not item.stand_in and item.origin is not Origin.DEBIAN
    ]
    parts = []
    if real:
        parts.append(", ".join(real))
    if stand_ins:
        parts.append(f"STAND-INS, not Jitsi's software: {', '.join(stand_ins)}")
    return "; ".join(parts)


@click.command("up")
@spec_options
@click.option("--refresh", is_flag=True, help="Ask the package repositories again.")
@json_option
def up_command(*, refresh: bool, as_json: bool, **options: Any) -> None:
    """Bring up a lab, or finish and update the one that is there.

    Without flags and lab.conf the lab stays what it was; the first one has two bridges beside
    the JMS's own and eight visitor Prosodies.

    \b
    labctl up --jvbs 2 --visitors 8
    labctl up --lab course --visitors 12 --max-participants 5
    labctl up --packages debs:./candidates --relays
    """
    spec, data = read_spec(options)
    workdir = Workdir.of(spec.lab)
    with locked(workdir, what="up"), progress_shown() as progress:
        from labctl.lab.up import bring_up

        brought = bring_up(spec, data, workdir=workdir, progress=progress, refresh=refresh)
    topology, seconds = brought.topology, brought.timings.seconds
    if as_json:
        click.echo(json.dumps({"lab": spec.lab, "ready": True, "seconds": seconds}, indent=2))
        return
    total = brought.timings.total
    vnodes = f", {len(topology.vnodes)} visitor Prosodies" if topology.vnodes else ""
    click.secho(
        f"\nLab '{spec.lab}' is conference-ready after {total:.1f} s: "
        f"JMS, {len(topology.bridges)} bridges{vnodes}.",
        bold=True,
    )
    click.echo(f"  phases    {brought.timings}")
    click.echo(f"  packages  {describe(brought.packages)}")
    click.echo(f"  web       https://{topology.domain}/ at {topology.jms.address}, "
               f"CA {workdir.ca / 'ca.crt'}")  # fmt: skip
    click.echo("  go on     labctl status | labctl verify | labctl ssh jms | labctl destroy")
