"""`labctl up --count N`, and removing all labs of a name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labctl.cli.common import progress_shown
from labctl.cli.told import LabTold, UpManyTold, tell
from labctl.core.errors import LabError
from labctl.core.exits import ExitCode
from labctl.core.progress import Progress
from labctl.lab.current import make_current
from labctl.spec import LoadedSpec, load_with_origins
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.places import find_config
from labctl.topology.workdir import Workdir

if TYPE_CHECKING:
    from labctl.lab.beside import LabResult
    from labctl.lab.many import Settled
    from labctl.lab.up import Brought

F = TypeVar("F", bound=Callable[..., Any])


def all_of_option(function: F) -> F:
    """`--all-of NAME`: the labs that `labctl up --count` made."""
    return click.option(
        "--all-of",
        metavar="NAME",
        help="All labs NAME-1, NAME-2 and so on, which 'labctl up --count' made.",
    )(function)


def up_many(
    options: Mapping[str, Any], *, count: int, at_once: int | None, refresh: bool, as_json: bool
) -> int:
    """Bring up labs NAME-1 to NAME-count; 0 if all of them are up."""
    from labctl.lab.beside import work_beside
    from labctl.lab.many import default_at_once, plan_labs, settle

    name, load = _reader(options)
    labs = plan_labs(name, count, load=load, find=Workdir.of)
    width = min(count, at_once or default_at_once(count))
    with progress_shown() as progress:
        settled = settle(labs, at_once=width, progress=progress, refresh=refresh)
        by_name = {each.planned.spec.lab: each for each in settled}
        bring = functools.partial(_bring, by_name)
        results = work_beside(list(by_name), bring, at_once=width, progress=progress)
    ready = [it.value.lab for it in results if it.value is not None]
    if ready:
        make_current(ready[0].folder)
    index = write_pages(name)
    told = [_told(it, by_name[it.lab]) for it in results]
    if as_json:
        tell(UpManyTold(name, tuple(told), None if index is None else str(index)))
    else:
        _print(name, told, index)
    return ExitCode.DONE if len(ready) == len(results) else ExitCode.FAILED


def _reader(options: Mapping[str, Any]) -> tuple[str, Callable[[Mapping[str, Any]], LoadedSpec]]:
    """The name that all labs have in common, and how to read what they are."""
    from labctl.lab.many import DEFAULT_NAME

    flags = {key.replace("_", "-"): value for key, value in options.items()}
    config: Path | None = flags.pop("config") or find_config()
    given = load_with_origins(config, flags)
    name = str(given.data.get("lab", DEFAULT_NAME))

    def load(saved: Mapping[str, Any]) -> LoadedSpec:
        return load_with_origins(config, flags, saved=saved)

    return name, load


def _bring(settled: Mapping[str, Settled], lab: str, progress: Progress) -> Brought:
    from labctl.lab.up import bring_up
    from labctl.training.handout import write_handout

    planned, among = settled[lab].planned, settled[lab].among
    with locked(planned.workdir, what="up"):
        brought = bring_up(
            planned.spec,
            planned.data,
            workdir=planned.workdir,
            progress=progress,
            refresh=False,
            among=among,
        )
        write_handout(brought.lab)
    progress("ready", f"media-ready after {brought.timings.total:.1f} s")
    return brought


def write_pages(name: str) -> Path | None:
    """Write the index of all labs of that name; None if there are none."""
    from labctl.lab.many import labs_named
    from labctl.training.handout import handout_file, write_index

    folders = [it for it in labs_named(name, find=Workdir.of) if handout_file(it).exists()]
    labs = [Lab(folder, topology) for folder in folders if (topology := folder.find_topology())]
    return write_index(name, labs) if labs else None


def _told(result: LabResult[Brought], settled: Settled) -> LabTold:
    from labctl.training.handout import handout_file

    spec, error = settled.planned.spec, result.error
    return LabTold(
        lab=result.lab,
        ready=error is None,
        seconds=round(result.seconds, 1),
        network=str(spec.network),
        web=f"https://{spec.domain}/",
        handout=str(handout_file(settled.planned.workdir)) if error is None else None,
        problem=error.message if error is not None else None,
        log=str(error.log) if error is not None and error.log is not None else None,
    )


def _print(name: str, told: list[LabTold], index: Path | None) -> None:
    """The table that stays on the screen."""
    ready = sum(lab.ready for lab in told)
    click.secho(f"\n{ready} of {len(told)} labs '{name}' are media-ready.", bold=True)
    wide = max(len(lab.lab) for lab in told)
    for lab in told:
        said = lab.web if lab.ready else f"FAILED: {(lab.problem or '').partition(chr(10))[0]}"
        click.echo(f"  {lab.lab:<{wide}}  {lab.network:<18}  {lab.seconds:6.1f} s  {said}")
        if lab.log is not None:
            click.echo(f"  {'':<{wide}}  log: {lab.log}")
    if index is not None:
        click.echo(f"  hand-outs  {index}")
    if ready < len(told):
        click.echo("  next      the same command continues with the labs that are missing")
    else:
        click.echo(f"  next      labctl class score --all | labctl destroy --all-of {name}")


def work_on_all(name: str, work: Callable[[Workdir, Progress], object], *, done: str) -> int:
    """Do something with every lab of a name; 0 if it was done with all.

    Errors: LabError if there is none."""
    from labctl.lab.beside import work_beside
    from labctl.lab.many import default_at_once, labs_named

    folders = {folder.lab: folder for folder in labs_named(name, find=Workdir.of)}
    if not folders:
        raise LabError(
            f"There is no lab '{name}-1', nor another of that name.",
            hint=f"'labctl up --count N --lab {name}' makes them.",
        )

    def one(lab: str, progress: Progress) -> bool:
        work(folders[lab], progress)
        return True

    with progress_shown() as progress:
        width = default_at_once(len(folders))
        results = work_beside(list(folders), one, at_once=width, progress=progress)
    for result in results:
        click.echo(f"  {result.lab}: {done if result.error is None else result.error.message}")
    return ExitCode.DONE if all(it.error is None for it in results) else ExitCode.FAILED
