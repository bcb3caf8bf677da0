"""Making container images: the base, then the roles, side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labctl import debian, jitsi, packer, process, tree
from labctl.bakeinput import BakeInput
from labctl.bakework import explained, fresh_log, in_parallel, scratch_folder
from labctl.docker import base
from labctl.docker.bake import Baked, ContainerBake, bake, container_name, remove_stale_containers
from labctl.errors import LabError
from labctl.imageplan import Plan, render_label
from labctl.model import Role
from labctl.progress import Progress

NEEDED_BYTES = 1_500_000_000
"""Disk space that making the base and three roles takes at most, rounded up."""

STOP_SIGNAL = "SIGRTMIN+3"
"""What systemd takes as "power off" in a container."""

DOCKER_HINT = "Is Docker running, and may you use it ('docker info')?"
DISK_HINT = "'docker system df' shows what Docker holds, 'docker image prune' frees some."


@dataclass(frozen=True, slots=True)
class Site:
    """Where images are made: this machine's Debian, folders, and whom to tell."""

    mirror: debian.Mirror
    release: debian.Release
    cache: Path
    logs: Path
    progress: Progress


def make_images(
    plan: Plan,
    roles: Sequence[Role],
    *,
    remake_base: bool,
    cache: Path,
    logs: Path,
    progress: Progress,
    jobs: int,
) -> None:
    """Make the images of `roles`, and the base where it is missing or to be made anew."""
    packer.check_packer()
    remove_stale_containers()
    check_disk(cache)
    if any(plan.packages.needs_jitsi(role) for role in roles):
        jitsi.check_jitsi(plan.packages.repository)
    site = Site(debian.load_mirror(), debian.load_release(), cache, logs, progress)
    if remake_base:
        _make_base(plan, site=site)
    in_parallel([partial(_make_role, plan, role, site=site) for role in roles], jobs=jobs)
    # Images that were made anew have left a nameless one each; what a node runs on stays.
    prune = ["docker", "image", "prune", "--force", "--filter", "label=labctl.packages"]
    process.run(prune, check=False, timeout=60)


def check_disk(cache: Path, *, needed: int = NEEDED_BYTES) -> None:
    """LabError where a disk that images are written to has less than `needed` bytes free."""
    root = process.run(
        ["docker", "info", "--format", "{{.DockerRootDir}}"], hint=DOCKER_HINT, timeout=30
    ).output.strip()
    for path in (Path(root), cache, tree.SCRATCH):
        # A root that is not on this machine cannot be measured from here.
        if path.is_dir() and shutil.disk_usage(path).free < needed:
            free = shutil.disk_usage(path).free // 1_000_000
            raise LabError(
                f"The disk of '{path}' has {free} MB free; images need up to"
                f" {needed // 1_000_000} MB.",
                hint=DISK_HINT,
            )


def _make_base(plan: Plan, *, site: Site) -> None:
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


def _make_role(plan: Plan, role: Role, *, site: Site) -> None:
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
    """Give a baked image its labels and then, as the last act, its name."""
    labels = {
        "labctl.role": str(job.role),
        "labctl.hash": reference.partition(":")[2],
        "labctl.packages": render_label(baked.versions, packages=job.given.packages),
    }
    changes = [f"LABEL {key}={json.dumps(value)}" for key, value in labels.items()]
    options = [word for change in changes for word in ("--change", change)]
    try:
        # Not among the changes that a commit takes, but a container may have it.
        create = ["docker", "create", "--name", job.container, "--stop-signal", STOP_SIGNAL]
        process.run([*create, baked.image], log=job.log, timeout=60)
        commit = ["docker", "commit", *options, job.container, reference]
        process.run(commit, log=job.log, timeout=120)
    finally:
        process.run(["docker", "rm", job.container], check=False, timeout=60, endable=False)
        # Goes only where the labelled image does not stand on it, that is after a failure.
        process.run(["docker", "rmi", baked.image], check=False, timeout=60, endable=False)
