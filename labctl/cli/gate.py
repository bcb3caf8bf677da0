"""`labctl gate`."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import click

from labctl.cli.common import Console, json_option
from labctl.errors import LabError, SpecError, UsageError
from labctl.workdir import ROOT

CONFIG = Path("lab.conf")
DRILLS = ("failover",)
DEFAULT_RUNS = 3


class NotJudgedError(LabError):
    """The gate itself did not get to a verdict."""

    exit_code = 3


@click.command("gate")
@click.option("--candidate", required=True, metavar="SOURCE", help="What is to be judged.")
@click.option("--baseline", metavar="SOURCE", help="What it is held against.")
@click.option(
    "--runs",
    type=click.IntRange(1, 20),
    metavar="N",
    help="Times that each side is brought up; 3 with a baseline, else 1.",
)
@click.option("--quick", is_flag=True, help="One run, no slow tests, no drills.")
@click.option(
    "--drills",
    metavar="NAMES",
    help="Drills to run: names with commas, 'all', 'none'; the failover by default.",
)
@click.option(
    "--allow-stand-ins", "stand_ins", is_flag=True, help="Try stand-ins, too; the verdict says so."
)
@click.option("--strict", is_flag=True, help="What needs attention fails, too.")
@click.option(
    "--keep", is_flag=True, help="Leave the lab of a candidate that failed for a look inside."
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the report goes.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The lab.conf that shapes the labs; ./lab.conf where there is one.",
)
@click.option("--jvbs", metavar="N", help="Bridges beside the JMS's own.")
@click.option("--visitors", metavar="N", help="Visitor Prosodies.")
@click.option("--network", metavar="CIDR", help="The labs' network.")
@json_option
def gate_command(
    *,
    candidate: str,
    baseline: str | None,
    runs: int | None,
    quick: bool,
    drills: str | None,
    folder: Path | None,
    as_json: bool,
    config: Path | None,
    stand_ins: bool,
    strict: bool,
    keep: bool,
    **flags: Any,
) -> int:
    """Say yes or no to a set of packages: build, bring up, verify, drill, tear down.

    SOURCE is debs:DIR, debs:FILE.deb,FILE.deb, jitsi:CHANNEL, jitsi:VERSIONS-FILE or stand-ins,
    as for '--packages'.  The labs are 'gate-baseline' and 'gate-candidate', one after the other.
    The exit status is 0 for pass, 1 for fail, 3 when nothing could be judged.

    \b
    labctl gate --candidate debs:./candidates
    labctl gate --baseline jitsi:stable --candidate debs:./candidates
    labctl gate --baseline jitsi:versions.txt --candidate jitsi:unstable --drills all
    """  # fmt: skip
    from labctl.gate import Plan, render_text, run_gate

    target = folder or ROOT / ".lab" / ".gate" / time.strftime("%Y%m%d-%H%M%S")
    if config is None and CONFIG.is_file():
        config = CONFIG
    plan = Plan(
        candidate=candidate,
        folder=target.absolute(),
        baseline=baseline,
        runs=1 if quick else runs or (DEFAULT_RUNS if baseline else 1),
        quick=quick,
        drills=parse_drill_names(drills, quick=quick),
        stand_ins=stand_ins,
        strict=strict,
        keep=keep,
        config=config,
        flags=flags,
    )
    # CI ends what it gives up with SIGTERM: as for Ctrl-C, the labs go first.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        gate = run_gate(plan, progress=Console())
    except (SpecError, UsageError):
        raise
    except LabError as error:
        raise NotJudgedError(error.message, hint=error.hint, log=error.log) from error
    except Exception as error:
        # A defect of labctl must not look like one of the candidate.
        message = f"This is a defect of labctl: {type(error).__name__}: {error}"
        raise NotJudgedError(message, hint="LABCTL_DEBUG=1 shows more.") from error
    click.echo(
        json.dumps(gate.to_json(), indent=2) if as_json else render_text(gate, folder=plan.folder)
    )
    return gate.word.exit_code


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def parse_drill_names(text: str | None, *, quick: bool) -> tuple[str, ...]:
    """The drills that `--drills` names; without it the failover, with `--quick` none."""
    if text is None:
        return () if quick else DRILLS
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == ("none",) else names
