"""Running the acceptance suite against a lab, as a child: pytest keeps its own output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from labctl.process import pass_through
from labctl.workdir import ROOT, Workdir


def verify(workdir: Workdir, pytest_args: Sequence[str]) -> int:
    """Run `acceptance/` with further arguments for pytest; returns pytest's exit status.

    Errors: LabError when there is no lab.
    """
    workdir.load_topology()
    suite = ("-m", "pytest", ROOT / "acceptance", "--rootdir", ROOT)
    argv: list[str | Path] = [sys.executable, *suite, *pytest_args]
    return pass_through(
        argv,
        cwd=ROOT,
        env={"LABCTL_WORKDIR": str(workdir.path), "PYTHONPATH": str(ROOT)},
    )
