"""Programs from PyPI that only benchmarks use, each in an environment of its own."""

from __future__ import annotations

import venv
from pathlib import Path

from benchmarks.results import run_timed


def ensure_program(environment: Path, name: str, *installs: tuple[str | Path, ...]) -> Path:
    """The program of that name in an environment that is made if the program is missing.

    `installs` are the arguments of `pip install`, one call after the other.  Errors: LabError.
    """
    program = environment / "bin" / name
    if not program.exists():
        venv.create(environment, with_pip=True, clear=True)
        for words in installs:
            run_timed([environment / "bin" / "pip", "install", "--quiet", *words])
    return program
