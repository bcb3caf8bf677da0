"""Running the acceptance suite against a lab, as a child: pytest keeps its own output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from labctl.core.errors import UsageError
from labctl.core.process import pass_through
from labctl.lab.report import Files
from labctl.topology.places import IS_CHECKOUT
from labctl.topology.workdir import ROOT, Workdir

PLUGIN = "acceptance.reporting"
RESULTS = "LABCTL_RESULTS"


def verify(workdir: Workdir, pytest_args: Sequence[str], *, record: bool = False) -> int:
    """Run `acceptance/`, or the files that the arguments for pytest name; pytest's exit status.

    With `record` the run leaves in the lab's folder what `labctl.lab.report` makes a report of.
    Errors: LabError when there is no lab.
    """
    workdir.load_topology()
    argv, env, cwd = suite_command(workdir, pytest_args)
    if record:
        _refuse_second_junit(pytest_args)
        files = Files.of(workdir)
        # Relative, because pytest takes '$' in it for a variable.
        argv += ["-p", PLUGIN, f"--junitxml={os.path.relpath(files.junit, ROOT)}"]
        env[RESULTS] = str(files.results)
    return pass_through(argv, cwd=cwd, env=env)


def suite_command(
    workdir: Workdir, pytest_args: Sequence[str]
) -> tuple[list[str | Path], dict[str, str], Path]:
    """The command that runs the suite, its environment, and the folder in which it runs."""
    suite = () if any(map(_is_place, pytest_args)) else (ROOT / "acceptance",)
    argv: list[str | Path] = [sys.executable, "-m", "pytest", *suite, "--rootdir", ROOT]
    if not IS_CHECKOUT:
        # What is installed may be closed to this user.
        argv += ["-o", f"cache_dir={workdir.path / 'pytest-cache'}"]
    # Not by PYTHONPATH, where a path with a colon would be two: Python begins in the root.
    env = {"LABCTL_WORKDIR": str(workdir.path), "PYTHONSAFEPATH": ""}
    return [*argv, *pytest_args], env, ROOT


def _is_place(word: str) -> bool:
    """Whether an argument names a file or a test of the suite, which then is all that runs."""
    return not word.startswith("-") and (ROOT / word.partition("::")[0]).is_file()


def _refuse_second_junit(pytest_args: Sequence[str]) -> None:
    """pytest writes one such file only, and the report needs it."""
    if any(word.startswith(("--junitxml", "--junit-xml")) for word in pytest_args):
        raise UsageError("'--report' already writes 'junit.xml'.", hint="Omit '--junitxml'.")
