"""`labctl class new`: the frame of an exercise of one's own, which can be run as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from labctl.core.errors import UsageError
from labctl.training.exercise import FILE, NAME

TEMPLATE = Path(__file__).parent / "frame"


def write_frame(name: str, *, folder: Path) -> Path:
    """Write the frame of exercise `name` below `folder`; returns the exercise's folder.

    Errors: UsageError for a name that is taken or not valid."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not a valid name for an exercise.",
            hint="It must be 1 to 31 lower-case letters, digits and dashes, a letter first.",
        )
    path = folder / name
    if path.exists():
        raise UsageError(f"'{path}' is already there.", hint="Choose another name.")
    shutil.copytree(TEMPLATE, path)
    file = path / FILE
    file.write_text(file.read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    return path
