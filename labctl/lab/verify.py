"""Running the acceptance suite against a lab, as a child: pytest keeps its own output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from labctl.errors import UsageError
from labctl.lab.report import Files
from labctl.process import pass_through
from labctl.workdir import ROOT, Workdir

PLUGIN = "acceptance.reporting"
RESULTS = "LABCTL_RESULTS"


def verify(workdir: Workdir, pytest_args: Sequence[str], *, record: bool = False) -> int:
    """Run `acceptance/`, or the files that the arguments for pytest name; pytest's exit status.

    With `record` the run leaves in the lab's folder what `labctl.lab.report` makes a report of.
    Errors: LabError when there is no lab.
    """
    workdir.load_topology()
    suite = () if any(map(_is_place, pytest_args)) else (ROOT / "acceptance",)
    argv: list[str | Path] = [sys.executable, "-m", "pytest", *suite, "--rootdir", ROOT]
    argv += pytest_args
    env = {"LABCTL_WORKDIR": str(workdir.path), "PYTHONPATH": str(ROOT)}
    if record:
        _refuse_second_junit(pytest_args)
        files = Files.of(workdir)
        argv += ["-p", PLUGIN, f"--junitxml={files.junit}"]
        env[RESULTS] = str(files.results)
    return pass_through(argv, cwd=ROOT, env=env)


def _is_place(word: str) -> bool:
    """Whether an argument names a file or a test of the suite, which then is all that runs."""
    return not word.startswith("-") and (ROOT / word.partition("::")[0]).is_file()


def _refuse_second_junit(pytest_args: Sequence[str]) -> None:
    """pytest writes one such file only, and the report needs it."""
    if any(word.startswith(("--junitxml", "--junit-xml")) for word in pytest_args):
        raise UsageError("'--report' writes 'junit.xml' by itself.", hint="Leave '--junitxml' out.")
