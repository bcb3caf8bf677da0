"""`labctl up`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labctl.cli.common import json_option, lab_option, progress_shown, summary_line
from labctl.cli.flags import key_options
from labctl.cli.told import UpTold, tell
from labctl.core.critical import critical_path
from labctl.core.errors import UsageError
from labctl.core.exits import ExitCode
from labctl.core.progress import Timings
from labctl.images.packages import PackageOrigin
from labctl.images.plan import Installed
from labctl.lab.current import current_lab
from labctl.lab.expect import slowest_phase
from labctl.lab.saved import load_saved
from labctl.spec import LoadedSpec, load_with_origins
from labctl.topology.lock import locked
from labctl.topology.places import find_config
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

if TYPE_CHECKING:
    from labctl.lab.up import Brought

F = TypeVar("F", bound=Callable[..., Any])
MOST_LABS = 99
WORTH_TELLING = 0.05
"""The part of the whole time that a step of the critical path must have taken."""


def spec_options(function: F) -> F:
    """The flags that describe the lab; each has a key in lab.conf."""
    function = lab_option(function, parameter="lab")
    function = key_options()(function)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The lab.conf to read; by default ./lab.conf, if it exists.",
    )(function)


def read_spec(options: dict[str, Any]) -> tuple[Spec, dict[str, Any]]:
    """The spec from the flags, lab.conf and the lab's last run, and its plain data."""
    wish = load_wish(options)
    return wish.spec, wish.data


def load_wish(options: dict[str, Any]) -> LoadedSpec:
    """The same, together with where each value comes from."""
    flags = {key.replace("_", "-"): value for key, value in options.items()}
    config = flags.pop("config")
    if config is None:
        config = find_config()
    if config is not None:
        return load_with_origins(config, flags)
    # The name decides which last run counts, so it is needed before anything is checked.
    name = flags["lab"] or current_lab()
    saved = {**load_saved(Workdir.of(name)), "lab": name}
    return load_with_origins(None, flags, saved=saved)


def describe(packages: Mapping[str, Installed]) -> str:
    """One line about where Jitsi's packages come from; stand-ins are always mentioned."""
    stand_ins = [name for name, item in packages.items() if item.stand_in]
    real = [
        f"{name} {item.version} ({item.origin})"
        for name, item in packages.items()
        if not item.stand_in and item.origin is not PackageOrigin.DEBIAN
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
@click.option("--watch", is_flag=True, help="Then show the lab live, as 'labctl watch' does.")
@click.option(
    "--count",
    type=click.IntRange(1, MOST_LABS),
    metavar="N",
    help="Bring up N labs, NAME-1 to NAME-N: one for each student.",
)
@click.option(
    "--at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="With '--count': so many labs beside each other, by default one for two processors.",
)
@json_option
def up_command(
    *,
    refresh: bool,
    watch: bool,
    count: int | None,
    at_once: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Bring up a lab, or update and repair an existing one.

    Without flags and lab.conf, the lab stays as it was.  A new lab has two bridges besides the
    JMS's own, and eight visitor Prosodies.

    \b
    labctl up --jvbs 2 --visitors 8
    labctl up --lab course --visitors 12 --max-participants 5
    labctl up --lab second --network auto
    labctl up --packages debs:./candidates --relays
    labctl up --count 20 --lab course --small
    labctl up --watch
    """
    if count is not None:
        from labctl.cli.many import up_many

        if watch:
            raise UsageError("'--watch' shows one lab, and '--count' brings up many.")
        return up_many(options, count=count, at_once=at_once, refresh=refresh, as_json=as_json)
    if at_once is not None:
        raise UsageError("'--at-once' needs '--count'.")
    if watch:
        # Whoever cannot see it should know before minutes have passed.
        _want_view(as_json=as_json)
    spec, data = read_spec(options)
    workdir = Workdir.of(spec.lab)
    with locked(workdir, what="up"), progress_shown() as progress:
        from labctl.lab.up import bring_up

        brought = bring_up(spec, data, workdir=workdir, progress=progress, refresh=refresh)
    if as_json:
        tell(_told(brought))
    else:
        _print(brought)
    if watch:
        from labctl.cli.watch import show

        show(brought.lab)
    return ExitCode.DONE


def _want_view(*, as_json: bool) -> None:
    """UsageError where a live view makes no sense."""
    from labctl.cli.watch import want_terminal

    if as_json:
        raise UsageError(
            "'--watch' shows a live view, and '--json' is for programs.",
            hint="Use 'labctl up --json', then 'labctl watch --json'.",
        )
    want_terminal()


def _told(brought: Brought) -> UpTold:
    expected = brought.expected
    return UpTold(
        lab=brought.lab.topology.lab,
        ready=True,
        seconds=brought.timings.seconds,
        path=critical_path(brought.timings),
        expected=expected.phases if expected is not None else None,
        stand_ins=tuple(name for name, item in brought.packages.items() if item.stand_in),
    )


def _path(timings: Timings) -> str:
    """The steps that held up the end, in order, without those that hardly did."""
    steps = critical_path(timings)
    return ", ".join(str(it) for it in steps if it.seconds >= WORTH_TELLING * timings.total)


def _print(brought: Brought) -> None:
    """The end that stays on the screen."""
    topology, timings = brought.lab.topology, brought.timings
    vnodes = f", {len(topology.vnodes)} visitor Prosodies" if topology.vnodes else ""
    click.secho(
        f"\nLab '{topology.lab}' is media-ready after {timings.total:.1f} s: "
        f"JMS, {len(topology.bridges)} bridges{vnodes}.",
        bold=True,
    )
    ca = brought.lab.folder.ca / "ca.crt"
    rows = {
        "phases": str(timings),
        "slowest": slowest_phase(timings.seconds, brought.expected),
        "path": _path(timings),
        "packages": describe(brought.packages),
        "web": f"https://{topology.domain}/ at {topology.jms.address}, CA {ca}",
        "next": "labctl status | labctl verify | labctl ssh jms | labctl destroy",
    }
    for name, text in rows.items():
        click.echo(summary_line(name, text))
