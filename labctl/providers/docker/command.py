"""The `docker` command, and the labels that mark what belongs to a lab."""

from __future__ import annotations

from labctl.core.process import run
from labctl.topology.workdir import Workdir

LAB_LABEL = "labctl.lab"
NODE_LABEL = "labctl.node"
WORKDIR_LABEL = "labctl.workdir"

ENGINE_HINT = "Run 'labctl doctor' to check whether the Docker engine answers."


def docker(*words: str, check: bool = True, timeout: float = 60.0) -> str:
    """The output of a `docker` command."""
    return run(["docker", *words], check=check, timeout=timeout, hint=ENGINE_HINT).output


def lab_filters(workdir: Workdir) -> list[str]:
    """Options that select only what belongs to this lab.

    They use its name and folder, so that labs of two checkouts never mix.
    """
    labels = {LAB_LABEL: workdir.lab, WORKDIR_LABEL: str(workdir.path.resolve())}
    return [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
