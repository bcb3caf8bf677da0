"""`labctl class`: exercises on the lab, which check themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labctl.cli.common import json_option, lab_option, load_lab, progress_shown
from labctl.cli.complete import complete_exercises
from labctl.cli.handout import handout_command
from labctl.cli.signals import ended_in_order
from labctl.cli.told import ClassCheckTold, ExerciseTold, tell
from labctl.topology.lock import locked

if TYPE_CHECKING:
    from labctl.training.exercise import Exercise

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(file_okay=False, path_type=Path, resolve_path=True)


def folder_option(function: F) -> F:
    """`--folder DIR`: exercises of one's own."""
    return click.option(
        "--folder",
        type=FOLDER,
        envvar="LABCTL_TRAINING",
        metavar="DIR",
        help="Where the exercises are; by default labctl's own folder 'training'.",
    )(function)


@click.group("class")
def class_command() -> None:
    """Do exercises on the lab, which check themselves.

    An exercise tells a story, breaks the lab, and says in words what is still wrong.  The work
    itself is done on the nodes ('labctl ssh jms').

    \b
    labctl class list
    labctl class start brewery-password
    labctl class hint
    labctl class check
    labctl class reset
    """


@class_command.command("list")
@folder_option
@lab_option
@json_option
def list_command(lab_name: str | None, *, folder: Path | None, as_json: bool) -> None:
    """List all exercises, and what was done with them in this lab.

    \b
    labctl class list
    labctl class list --json | jq '.[].name'
    """
    from labctl.cli.common import workdir_of
    from labctl.training.exercise import FOLDER as OWN
    from labctl.training.progress import load_progress
    from labctl.training.session import get_exercises

    done = load_progress(workdir_of(lab_name))
    exercises = get_exercises(folder or OWN)
    if as_json:
        tell([_listed(one, str(done.attempt(one.name).standing)) for one in exercises])
        return
    wide = max(len(one.name) for one in exercises) if exercises else 0
    for one in exercises:
        mark = ">" if one.name == done.current else " "
        standing = done.attempt(one.name).standing
        click.echo(f"{mark} {one.name:<{wide}}  {one.minutes:>3} min  {standing:<14}  {one.title}")


def _listed(exercise: Exercise, standing: str) -> ExerciseTold:
    return ExerciseTold(
        name=exercise.name,
        title=exercise.title,
        minutes=exercise.minutes,
        bridges=exercise.bridges,
        vnodes=exercise.vnodes,
        hints=len(exercise.hints),
        standing=standing,
    )


@class_command.command("start")
@click.argument("name", shell_complete=complete_exercises)
@folder_option
@lab_option
def start_command(name: str, lab_name: str | None, *, folder: Path | None) -> None:
    """Bring the lab to the start of an exercise and tell its story.

    It does not matter in what state the lab is: what an earlier exercise or a student left is
    repaired first, and nodes that cannot be repaired are made anew.

    \b
    labctl class start firewall-media
    """
    from labctl.training import session
    from labctl.training.exercise import FOLDER as OWN

    exercise = session.get_exercise(name, folder=folder or OWN)
    lab = load_lab(lab_name)
    with locked(lab.folder, what="class start"), ended_in_order(), progress_shown() as progress:
        session.start(lab, exercise, progress=progress)
    _tell_story(lab_name)


@class_command.command("story")
@lab_option
def story_command(lab_name: str | None) -> None:
    """Tell the story of the lab's exercise again.

    \b
    labctl class story
    """
    _tell_story(lab_name)


def _tell_story(lab_name: str | None) -> None:
    from labctl.training import session
    from labctl.training.surroundings import words

    lab = load_lab(lab_name)
    exercise, _ = session.current(lab)
    click.secho(f"\n{exercise.title} ('{exercise.name}', about {exercise.minutes} minutes)\n",
                bold=True)  # fmt: skip
    click.echo(words(lab, exercise.story))
    click.echo("\n  next      labctl ssh NODE | labctl class hint | labctl class check")


@class_command.command("hint")
@lab_option
@json_option
def hint_command(lab_name: str | None, *, as_json: bool) -> None:
    """Show the next hint.  Each costs points.

    \b
    labctl class hint
    """
    from labctl.training.session import take_hint

    hint = take_hint(load_lab(lab_name))
    if as_json:
        tell(hint)
        return
    click.secho(f"Hint {hint.number} of {hint.of}", bold=True)
    click.echo(hint.words)


@class_command.command("check")
@click.argument("name", required=False)
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Check again for so long, until all is well.",
)
@lab_option
@json_option
def check_command(name: str | None, lab_name: str | None, *, seconds: float, as_json: bool) -> int:
    """Say what is still wrong.

    The exit status is 1 while something is.  What was just started may need some seconds.

    \b
    labctl class check
    labctl class check --wait 20
    labctl class check --json
    """
    from labctl.core.progress import silent
    from labctl.training.session import check

    lab = load_lab(lab_name)
    with locked(lab.folder, what="class check"), ended_in_order():
        verdict = check(lab, progress=silent, name=name, seconds=seconds)
    if as_json:
        name = verdict.exercise.name
        tell(ClassCheckTold(name, verdict.solved, verdict.wrong, verdict.checks))
    elif verdict.solved:
        click.secho(f"Solved: {verdict.exercise.title}.", fg="green", bold=True)
        click.echo("  next      labctl class reset | labctl class score")
    else:
        click.secho("Not yet.  Still wrong:", bold=True)
        for said in verdict.wrong:
            click.echo(f"  - {said}")
    return 0 if verdict.solved else 1


@class_command.command("solve")
@lab_option
def solve_command(lab_name: str | None) -> None:
    """Run the solution.  The exercise then brings no points.

    \b
    labctl class solve
    """
    from labctl.training import session

    lab = load_lab(lab_name)
    with locked(lab.folder, what="class solve"), ended_in_order(), progress_shown() as progress:
        exercise = session.solve(lab, progress=progress)
    for step in exercise.solve:
        if step.run:
            click.secho(f"\n{step.run} on '{step.on}':", bold=True)
            click.echo(exercise.script(step).rstrip())
    click.echo("\n  next      labctl class check")


@class_command.command("reset")
@lab_option
def reset_command(lab_name: str | None) -> None:
    """Bring the lab back to what labctl made of it, whatever was done to it.

    \b
    labctl class reset
    """
    from labctl.training import session

    lab = load_lab(lab_name)
    with locked(lab.folder, what="class reset"), ended_in_order(), progress_shown() as progress:
        session.reset(lab, progress=progress)
    click.echo(f"Lab '{lab.topology.lab}' is as labctl made it, and in no exercise.")


@class_command.command("score")
@click.option("--all", "every", is_flag=True, help="All labs of this checkout.")
@folder_option
@lab_option
@json_option
def score_command(lab_name: str | None, *, every: bool, folder: Path | None, as_json: bool) -> None:
    """Show points: 10 for each exercise, 2 less for each hint, none if the solution was run.

    \b
    labctl class score
    labctl class score --all --json
    """
    from labctl.cli.common import workdir_of
    from labctl.topology.workdir import Workdir, lab_names
    from labctl.training.exercise import FOLDER as OWN
    from labctl.training.progress import score_of, score_record
    from labctl.training.session import get_exercises

    names = [one.name for one in get_exercises(folder or OWN)]
    labs = [Workdir.of(one) for one in lab_names()] if every else [workdir_of(lab_name)]
    scores = [score_of(lab, names) for lab in labs]
    if as_json:
        tell([score_record(score) for score in scores])
        return
    for score in scores:
        click.secho(f"{score.lab}: {score.points} of {score.total} points, "
                    f"{score.solved} of {len(names)} solved", bold=True)  # fmt: skip
        for name, each in score.attempts.items():
            if each.began:
                took = "" if each.minutes is None else f"{each.minutes:.0f} min, "
                click.echo(f"  {name:<20} {each.points:>2}  {each.standing}"
                           f" ({took}{each.hints} hints, {each.checks} checks)")  # fmt: skip


@class_command.command("new")
@click.argument("name")
@folder_option
def new_command(name: str, *, folder: Path | None) -> None:
    """Write the frame of an exercise of your own.  It can be started as it is.

    \b
    labctl class new dns-broken
    labctl class new dns-broken --folder ~/course
    """
    from labctl.training.exercise import OWN_FOLDER
    from labctl.training.frame import write_frame

    path = write_frame(name, folder=folder or OWN_FOLDER)
    click.echo(path)


class_command.add_command(handout_command)
