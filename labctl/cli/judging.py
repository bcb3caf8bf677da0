"""What the verbs of the gate share: options, and how they end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from labctl.cli.complete import complete_drills
from labctl.core.errors import LabError, SpecError, UsageError
from labctl.core.exits import ExitCode
from labctl.topology.places import find_config

DRILLS = ("failover",)
DEFAULT_RUNS = 3
"""How often each side is brought up if there is something to compare."""


drills_option = click.option(
    "--drills",
    metavar="NAMES",
    shell_complete=complete_drills,
    help="Drills to run: names separated by commas, 'all' or 'none'; 'failover' by default.",
)
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The lab.conf for the labs; ./lab.conf if there is one.",
)


class NotJudgedError(LabError):
    """The gate did not reach a verdict."""

    exit_code = ExitCode.NOT_JUDGED


@contextmanager
def never_blamed() -> Iterator[None]:
    """What goes wrong here, on this machine or in labctl, must not look like a candidate's fault.

    CI sends SIGTERM to jobs that it gives up: as after Ctrl-C, the labs are removed first."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except (SpecError, UsageError):
        raise
    except LabError as error:
        raise NotJudgedError(error.message, hint=error.hint, log=error.log) from error
    except Exception as error:
        message = f"This is a bug in labctl: {type(error).__name__}: {error}"
        raise NotJudgedError(message, hint="Set LABCTL_DEBUG=1 to see more.") from error


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def config_file(given: Path | None) -> Path | None:
    """The lab.conf for the labs: as given, else the one that `up` reads if none is named."""
    return given if given is not None else find_config()


def parse_drill_names(text: str | None, *, quick: bool) -> tuple[str, ...]:
    """The drills that `--drills` names; without it the failover, with `--quick` none."""
    if text is None:
        return () if quick else DRILLS
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == ("none",) else names
