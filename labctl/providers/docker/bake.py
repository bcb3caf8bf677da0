"""Bake a role in a container: Packer's docker source, and the container of a failed bake."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError, PackageError
from labctl.images import packer
from labctl.images.bakeinput import BakeInput, save_input
from labctl.topology.spec import Role

SOURCE = "docker.role"
CONTAINER_PREFIX = "labctl-bake-"
KEPT_PREFIX = "labctl-failed-"
"""Prefix of containers in which a package failed; one per role is kept until the next bake."""


@dataclass(frozen=True, slots=True)
class ContainerBake:
    """One bake: what to install, on which image, and the names of its container and log."""

    given: BakeInput
    base: str
    container: str
    log: Path

    @property
    def role(self) -> Role:
        return self.given.role


@dataclass(frozen=True, slots=True)
class Baked:
    """The result: the image's id, and the versions of all packages in it."""

    image: str
    versions: Mapping[str, str]


def bake(job: ContainerBake, *, scratch: Path) -> Baked:
    """Bake one role's image, which has no name yet; `scratch` is an empty folder of ours.

    The container is always removed.  Errors: LabError with the log's path and its last lines.
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
    """Keep the container of a package that failed, so that it can be inspected."""
    if isinstance(error, PackageError):
        kept = f"{KEPT_PREFIX}{job.role}"
        process.run(["docker", "rename", job.container, kept], check=False, timeout=60)
        error.hint = (
            f"Run 'docker exec -it {kept} bash' to see where it failed;"
            f" 'docker rm -f {kept}' removes the container, as does the next bake of this role."
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
        ["docker", "rm", "--force", "--volumes", name], check=False, timeout=60, stoppable=False
    )
