"""`labctl plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.common import json_option, progress_shown
from labctl.cli.up import read_spec, spec_options
from labctl.topology.workdir import Workdir

if TYPE_CHECKING:
    from labctl.lab.deployment import Deployment, HereCrowd
    from labctl.lab.plan import NodePlan, UpPlan

MACHINE_WORDS = {
    "make": "make the machine",
    "make anew": "make the machine anew",
    "start": "start the machine",
    "keep": "the machine stays",
    "remove": "remove the machine",
}
"""What happens to a machine, by `labctl.lab.plan.MachineVerb`."""


@click.command("plan")
@spec_options
@click.option("--refresh", is_flag=True, help="As if 'labctl up --refresh' followed.")
@click.option("--brief", is_flag=True, help="Name the files that change, without differences.")
@click.option(
    "--participants",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Size a deployment for N participants instead, by upstream's rules.",
)
@json_option
def plan_command(
    *, refresh: bool, brief: bool, participants: int | None, as_json: bool, **options: Any
) -> None:
    """Show what 'labctl up' would do; nothing is changed.

    The files that would be placed are compared with those of the last 'labctl up', and nodes are
    not asked.  Secrets are not shown.  Times are those of earlier runs on this machine.

    With '--participants N', it shows how many bridges, vnodes and cores N participants take, the
    rules with their sources, and which part of it this machine can run as a lab.

    \b
    labctl plan
    labctl plan --max-participants 5
    labctl plan --jvbs 3 --relays --brief
    labctl plan --participants 10000
    labctl plan --json | jq '.nodes[] | {name, machine}'
    """
    spec, data = read_spec(options)
    if participants is not None:
        from labctl.lab.deployment import plan_deployment
        from labctl.lab.fit import available_mib

        sized = plan_deployment(participants, spec, available=available_mib())
        lines = render_deployment(sized)
        click.echo(json.dumps(sized.to_json(), indent=2) if as_json else "\n".join(lines))
        return
    from labctl.lab.plan import make_up_plan

    with progress_shown() as progress:
        plan = make_up_plan(
            spec, data, workdir=Workdir.of(spec.lab), progress=progress, refresh=refresh
        )
    text = "\n".join(render_plan(plan, brief=brief))
    click.echo(json.dumps(plan.to_json(), indent=2) if as_json else text)


def render_plan(plan: UpPlan, *, brief: bool) -> Iterator[str]:
    """The plan for people."""
    what = "a new lab" if plan.is_new else "the lab that there is"
    yield f"Lab '{plan.lab}' ({plan.provider}, {plan.domain}, {plan.network}): {what}"
    yield from _images(plan)
    yield from _memory(plan)
    yield f"Time: {_time(plan)}"
    for node in plan.nodes:
        yield from _node(node, brief=brief)
    if plan.empty:
        yield "Nothing would change."


def _images(plan: UpPlan) -> Iterator[str]:
    from labctl.lab.fit import gib

    bakes = plan.bakes
    if bakes.problem:
        yield f"Images: not known: {bakes.problem}"
        return
    if bakes.notice:
        yield bakes.notice
    free = f", {gib(bakes.free_mib)} are free" if bakes.free_mib is not None else ""
    if not bakes.missing:
        yield f"Images: all are there{free}"
        return
    named = ", ".join((["base"] if bakes.base else []) + [str(role) for role in bakes.missing])
    size = "of a size that is not known yet" if bakes.disk_mib is None else gib(bakes.disk_mib)
    yield f"Images: would make {named}: {size}{free}"


def _memory(plan: UpPlan) -> Iterator[str]:
    from labctl.lab.fit import gib

    fit = plan.fit
    free = f"{gib(fit.available)} are free"
    if not plan.is_new:
        free += ", besides what its machines have"
    yield f"Memory: up to {gib(fit.whole)}, at least {gib(fit.needed)}; {free}"
    if plan.is_new and not fit.possible:
        yield f"  It does NOT fit. What fits: {fit.smaller or 'nothing'}"
    elif plan.is_new and not fit.comfortable:
        yield f"  The machines together may want more than is free. What fits: {fit.smaller}"


def _time(plan: UpPlan) -> str:
    time = plan.time
    if time.images is None:
        images = " and the images, which have not been made here yet"
    else:
        images = f" and {time.images:.0f} s for the images" if time.images else ""
    if time.rest is not None:
        return f"about {time.rest:.0f} s{images}"
    if time.last is not None:
        return f"as long as what changes takes{images}; the last 'up' took {time.last:.0f} s"
    return "not known: no such lab has been brought up on this machine yet"


def _node(node: NodePlan, *, brief: bool) -> Iterator[str]:
    if node.empty:
        return
    why = f" ({node.why})" if node.why else ""
    yield ""
    yield f"{node.name} {node.address}: {MACHINE_WORDS[node.machine]}{why}"
    for verb in ("start", "restart", "reload", "stop"):
        if units := getattr(node.tree, verb):
            yield f"  {verb}: {', '.join(units)}"
    for command in node.tree.commands:
        yield f"  run: {command}"
    for file in node.tree.files:
        hidden = f" ({file.why_hidden})" if file.why_hidden else ""
        yield f"  {file.verb:<8} {file.path}{hidden}"
        if not brief:
            yield from (f"      {_coloured(line)}" for line in file.diff)


def _coloured(line: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return click.style(line, fg=colours[line[0]]) if line[:1] in colours else line


def render_deployment(sized: Deployment) -> Iterator[str]:
    """The deployment for people."""
    from labctl.lab.fit import gib

    here = sized.here
    yield f"{sized.participants:,} participants: {sized.main:,} take part, {sized.visitors:,} visit"
    yield f"  {sized.bridges} bridges of 8 cores, {sized.vnodes} vnodes"
    yield f"  a JMS of {sized.jms_cores} cores, which holds the vnodes as well"
    yield f"  together {sized.cores} cores and {sized.memory_gib} GB of memory"
    yield ""
    yield "Upstream's rules, of 2022:"
    for rule in sized.rules:
        yield f"  {rule.rule}"
        yield f"      {rule.source}"
    for setting in sized.settings:
        yield f"  Raise '{setting.name}' from {setting.default} to {setting.needed}."
    yield ""
    yield f"This machine has {here.cores} cores, and {gib(here.available_mib)} of memory are free."
    if not here.flags:
        yield "  Not even the smallest lab fits."
        return
    part = "All of its nodes fit" if here.whole else "A part of its nodes fits"
    yield f"  {part} as a lab that shows how it works, {gib(here.needs_mib)}:"
    yield f"    labctl up {here.flags}"
    if here.cores < sized.cores:
        yield f"  The load does not: it takes {sized.cores} cores."
    if here.crowd is not None:
        yield from _crowd(here.crowd, cores=here.cores)


def _crowd(crowd: HereCrowd, *, cores: int) -> Iterator[str]:
    """What logging in and staying takes, without media; one bridge is enough for it."""
    needs = crowd.needs
    if crowd.why_not or needs.seconds is None:
        yield f"  Nor can so many come as a crowd without media: {crowd.why_not}."
        return
    yield "  A crowd of that size without media can come (by what 16,003 people took):"
    for setting in crowd.settings:
        yield f"    lab.conf: {setting}"
    yield f"    {crowd.command}"
    own = f"{needs.crowd_mib} MiB for the crowd itself"
    yield f"    {own}; all are in after about {needs.seconds:.0f} s,"
    yield f"    then their pings take {needs.ping_cores:.1f} of {cores} cores"
