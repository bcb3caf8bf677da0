"""The `docker` command, and the labels that mark what belongs to a lab."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.core.process import run
from labctl.topology.hosts import HERE, is_here
from labctl.topology.workdir import Workdir

LAB_LABEL = "labctl.lab"
NODE_LABEL = "labctl.node"
WORKDIR_LABEL = "labctl.workdir"

ENGINE_HINT = "Run 'labctl doctor' to check whether the Docker engine answers."


def docker(*words: str, check: bool = True, timeout: float = 60.0, at: str = HERE) -> str:
    """The output of a `docker` command, asked of the engine of the machine `at`."""
    env = environ_of(at)
    return run(["docker", *words], env=env, check=check, timeout=timeout, hint=ENGINE_HINT).output


def environ_of(host: str) -> dict[str, str]:
    """What Docker's client needs in its environment to reach the engine of a machine."""
    return {} if is_here(host) else {"DOCKER_HOST": host}


def lab_labels(workdir: Workdir, *, label: str = LAB_LABEL) -> dict[str, str]:
    """The labels of what belongs to this lab; `label` has its name."""
    return {label: workdir.lab, WORKDIR_LABEL: str(workdir.path.resolve())}


def label_words(labels: Mapping[str, str]) -> list[str]:
    """Options that give something labels."""
    return [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]


def lab_filters(workdir: Workdir, *, label: str = LAB_LABEL) -> list[str]:
    """Options that select only what belongs to this lab; `label` has its name.

    They use its name and folder, so that labs of two checkouts never mix.
    """
    labels = lab_labels(workdir, label=label)
    return [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
