"""Make container images: the base, then the roles in parallel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.images import debian, jitsi, packer
from labctl.images import rootfs as tree
from labctl.images.bakeinput import BakeInput
from labctl.images.bakework import explained, fresh_log, in_parallel, scratch_folder
from labctl.images.plan import ImagePlan, render_label
from labctl.providers.docker import base
from labctl.providers.docker.bake import (
    Baked,
    ContainerBake,
    bake,
    container_name,
    remove_stale_containers,
)
from labctl.topology.spec import Role

NEEDED_BYTES = 1_800_000_000
"""The most disk space that making the base and all roles needs, rounded up."""

ABANDONED = "1h"
"""The age, in Docker's words, at which nobody will give an image its name any more."""

STOP_SIGNAL = "SIGRTMIN+3"
"""The signal that means "power off" to systemd in a container."""

DOCKER_HINT = "Run 'docker info' to check that Docker runs and that you may use it."
DISK_HINT = "'docker system df' shows what uses space; 'docker image prune' frees some."


@dataclass(frozen=True, slots=True)
class ContainerBakeSite:
    """What making images needs: this machine's Debian, folders, and the progress."""

    mirror: debian.Mirror
    release: debian.Release
    cache: Path
    logs: Path
    progress: Progress


def make_images(
    plan: ImagePlan,
    roles: Sequence[Role],
    *,
    remake_base: bool,
    cache: Path,
    logs: Path,
    progress: Progress,
    jobs: int,
) -> None:
    """Make the images of `roles`, and the base if it is missing or must be made again."""
    packer.check_packer()
    remove_stale_containers()
    check_disk(cache)
    if any(plan.packages.needs_jitsi(role) for role in roles):
        jitsi.check_jitsi(plan.packages.repository)
    site = ContainerBakeSite(
        debian.load_mirror(also=[plan.packages.repository.uri]),
        debian.load_release(plan.release),
        cache,
        logs,
        progress,
    )
    if remake_base:
        _make_base(plan, site=site)
    in_parallel([partial(_make_role, plan, role, site=site) for role in roles], jobs=jobs)
    remove_nameless()


def remove_nameless() -> None:
    """Remove labctl's images without a name; those in use by a node stay.

    Each image that was made again leaves one.  So does a bake whose labctl was killed before it
    gave its image labels and a name; a bake that goes on does that within seconds.
    """
    for filters in (
        ("label=labctl.packages",),
        ("label=labctl.hash", "label!=labctl.packages", f"until={ABANDONED}"),
    ):
        words = [word for each in filters for word in ("--filter", each)]
        process.run(["docker", "image", "prune", "--force", *words], check=False, timeout=60)


def check_disk(cache: Path, *, needed: int = NEEDED_BYTES) -> None:
    """Check the free space where images are written.  Errors: LabError if it is below `needed`."""
    root = process.run(
        ["docker", "info", "--format", "{{.DockerRootDir}}"], hint=DOCKER_HINT, timeout=30
    ).output.strip()
    for path in (Path(root), cache, tree.SCRATCH):
        # The engine's folder may be on another machine, which cannot be measured from here.
        if path.is_dir() and shutil.disk_usage(path).free < needed:
            free = shutil.disk_usage(path).free // 1_000_000
            raise LabError(
                f"The disk of '{path}' has {free} MB free; images need up to"
                f" {needed // 1_000_000} MB.",
                hint=DISK_HINT,
            )


def _make_base(plan: ImagePlan, *, site: ContainerBakeSite) -> None:
    site.progress("images", f"making Debian's base from '{site.mirror.main}'", node="base")
    job = base.BaseJob(
        plan.base,
        site.mirror,
        site.release,
        labels={"labctl.role": "base", "labctl.hash": plan.base.partition(":")[2]},
        log=fresh_log(site.logs / "build-base.log"),
    )
    with explained(job.log, hint=DISK_HINT), scratch_folder(tree.SCRATCH) as scratch:
        base.make_base(job, scratch=scratch)
    site.progress("images", f"made '{plan.base}'", node="base")


def _make_role(plan: ImagePlan, role: Role, *, site: ContainerBakeSite) -> None:
    reference = plan.roles[role]
    site.progress("images", "baking", node=role)
    job = ContainerBake(
        BakeInput(role, plan.packages, site.mirror, site.release),
        base=plan.base,
        container=container_name(role),
        log=fresh_log(site.logs / f"build-{role}.log"),
    )
    with explained(job.log, hint=DISK_HINT), scratch_folder(site.cache) as scratch:
        _name(bake(job, scratch=scratch), reference, job=job)
    site.progress("images", f"made '{reference}'", node=role)


def _name(baked: Baked, reference: str, *, job: ContainerBake) -> None:
    """Give a baked image its labels and then, last, its name."""
    labels = {
        "labctl.role": str(job.role),
        "labctl.hash": reference.partition(":")[2],
        "labctl.packages": render_label(baked.versions, packages=job.given.packages),
    }
    changes = [f"LABEL {key}={json.dumps(value)}" for key, value in labels.items()]
    options = [word for change in changes for word in ("--change", change)]
    try:
        # A commit does not accept this change, but a container may have it.
        create = ["docker", "create", "--name", job.container, "--stop-signal", STOP_SIGNAL]
        process.run([*create, baked.image], log=job.log, timeout=60)
        commit = ["docker", "commit", *options, job.container, reference]
        process.run(commit, log=job.log, timeout=120)
    finally:
        process.run(["docker", "rm", job.container], check=False, timeout=60, stoppable=False)
        # This succeeds only after a failure: otherwise the labelled image is based on it.
        process.run(["docker", "rmi", baked.image], check=False, timeout=60, stoppable=False)
