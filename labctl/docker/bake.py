"""A role baked in a container: Packer's docker source, and what is left of one that failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import packer, process
from labctl.bakeinput import BakeInput, save_input
from labctl.errors import LabError, PackageError
from labctl.model import Role

SOURCE = "docker.role"
CONTAINER_PREFIX = "labctl-bake-"
KEPT_PREFIX = "labctl-failed-"
"""Containers in which a package failed; one per role is kept until the next bake."""


@dataclass(frozen=True, slots=True)
class ContainerBake:
    """One bake: what is installed, on which image, with which container name and log."""

    given: BakeInput
    base: str
    container: str
    log: Path

    @property
    def role(self) -> Role:
        return self.given.role


@dataclass(frozen=True, slots=True)
class Baked:
    """What came of it: the image's id, and the versions of all packages in it."""

    image: str
    versions: Mapping[str, str]


def bake(job: ContainerBake, *, scratch: Path) -> Baked:
    """Bake one role's image, which then has no name yet; `scratch` is an empty folder of ours.

    Errors: LabError with the log's place and its last lines.  The container goes in any case.
    """
    save_input(job.given, folder=scratch / "input")
    _remove_container(f"{KEPT_PREFIX}{job.role}")
    variables = {
        **packer.common_variables(job.given, scratch=scratch),
        "base": job.base,
        "container": job.container,
    }
    try:
        result = packer.build(SOURCE, variables, scratch=scratch, log=job.log, keep=True)
        if result.code != 0:
            raise _keep(job, packer.bake_error(job.role, result, log=job.log))
    finally:
        _remove_container(job.container)
    image = parse_manifest((packer.output(scratch) / "manifest.json").read_text(encoding="utf-8"))
    return Baked(image, packer.load_installed(scratch))


def _keep(job: ContainerBake, error: LabError) -> LabError:
    """A package's failure leaves its container for a look."""
    if isinstance(error, PackageError):
        kept = f"{KEPT_PREFIX}{job.role}"
        process.run(["docker", "rename", job.container, kept], check=False, timeout=60)
        error.hint = (
            f"'docker exec -it {kept} bash' looks around where it failed;"
            f" 'docker rm -f {kept}' removes it, as does the next bake of this role."
        )
    return error


def parse_manifest(text: str) -> str:
    """The image id in the manifest that Packer writes."""
    return str(json.loads(text)["builds"][-1]["artifact_id"])


def container_name(role: Role) -> str:
    """The name of the container in which this process bakes a role."""
    return f"{CONTAINER_PREFIX}{role}-{os.getpid()}"


def remove_stale_containers() -> None:
    """Remove the containers of bakes whose labctl was killed."""
    command = ["docker", "ps", "--all", "--filter", f"name=^{CONTAINER_PREFIX}"]
    listing = process.run([*command, "--format", "{{.Names}}"], timeout=30)
    for name in listing.output.split():
        pid = name.rpartition("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove_container(name)


def _remove_container(name: str) -> None:
    process.run(
        ["docker", "rm", "--force", "--volumes", name], check=False, timeout=60, endable=False
    )
