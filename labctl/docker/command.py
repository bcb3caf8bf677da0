"""The `docker` command, and the labels by which a lab's things are known to the engine."""

from __future__ import annotations

from labctl.process import run
from labctl.workdir import Workdir

LAB_LABEL = "labctl.lab"
NODE_LABEL = "labctl.node"
WORKDIR_LABEL = "labctl.workdir"

ENGINE_HINT = "Run 'labctl doctor' to see whether the Docker engine answers."


def docker(*words: str, check: bool = True, timeout: float = 60.0) -> str:
    """What a `docker` command printed."""
    return run(["docker", *words], check=check, timeout=timeout, hint=ENGINE_HINT).output


def lab_filters(workdir: Workdir) -> list[str]:
    """Options that leave only what is this lab's: by name and folder, so that labs of two
    checkouts never meet."""
    labels = {LAB_LABEL: workdir.lab, WORKDIR_LABEL: str(workdir.path.resolve())}
    return [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
