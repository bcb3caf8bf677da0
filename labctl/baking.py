"""Making the images that a plan names: the base, then the roles, side by side."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from labctl import base, containerbake, debian, jitsi, packer, process, tree
from labctl.bakeinput import BakeInput
from labctl.errors import LabError
from labctl.imageplan import Plan, render_label
from labctl.model import Role

NEEDED_BYTES = 1_500_000_000
"""Disk space that making the base and three roles takes at most, rounded up."""

SCRATCH_PREFIX = "labctl-images-"
SCRATCH_SECONDS = 3600.0

STOP_SIGNAL = "SIGRTMIN+3"
"""What systemd takes as "power off" in a container."""

DOCKER_HINT = "Is Docker running, and may you use it ('docker info')?"
DISK_HINT = "'docker system df' shows what Docker holds, 'docker image prune' frees some."


class Progress(Protocol):
    """Told what happens: a phase ('base', 'jms', ... or 'notice'), and a sentence."""

    def __call__(self, phase: str, message: str) -> None: ...


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
) -> None:
    """Make the images of `roles`, and the base where it is missing or to be made anew."""
    packer.check_packer()
    containerbake.remove_stale_containers()
    check_disk(cache)
    if any(plan.packages.needs_jitsi(role) for role in roles):
        jitsi.check_jitsi(plan.packages.repository)
    site = Site(debian.load_mirror(), debian.load_release(), cache, logs, progress)
    if remake_base:
        _make_base(plan, site=site)
    in_parallel([partial(_make_role, plan, role, site=site) for role in roles])
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


def in_parallel(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks in threads; the first error, or Ctrl-C, ends the programs of all of them."""
    failed = threading.Event()
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        if failed.is_set():
            return
        try:
            task()
        except BaseException as error:
            # The others fail because of the first: theirs are not the cause.
            errors.append(error)
            failed.set()
            raise

    with ThreadPoolExecutor(max_workers=max(1, min(len(tasks), os.cpu_count() or 1))) as pool:
        futures = [pool.submit(guarded, task) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if errors:
                raise errors[0]
        except BaseException:
            failed.set()
            # More than once, as a task may be between two programs.
            while not all(future.done() for future in futures):
                process.end_running(grace=10)
                wait(futures, timeout=0.2)
            raise


def _make_base(plan: Plan, *, site: Site) -> None:
    site.progress("base", f"making Debian's base from '{site.mirror.main}'")
    job = base.BaseJob(
        plan.base,
        site.mirror,
        site.release,
        labels={"labctl.role": "base", "labctl.hash": plan.base.partition(":")[2]},
        log=_fresh_log(site.logs / "build-base.log"),
    )
    with _explained(job.log), _scratch(tree.SCRATCH) as scratch:
        base.make_base(job, scratch=scratch)
    site.progress("base", f"made '{plan.base}'")


def _make_role(plan: Plan, role: Role, *, site: Site) -> None:
    reference = plan.roles[role]
    site.progress(role, "baking")
    bake = containerbake.ContainerBake(
        BakeInput(role, plan.packages, site.mirror, site.release),
        base=plan.base,
        container=containerbake.container_name(role),
        log=_fresh_log(site.logs / f"build-{role}.log"),
    )
    with _explained(bake.log), _scratch(site.cache) as scratch:
        _name(containerbake.bake(bake, scratch=scratch), reference, bake=bake)
    site.progress(role, f"made '{reference}'")


def _name(baked: containerbake.Baked, reference: str, *, bake: containerbake.ContainerBake) -> None:
    """Give a baked image its labels and then, as the last act, its name."""
    labels = {
        "labctl.role": str(bake.role),
        "labctl.hash": reference.partition(":")[2],
        "labctl.packages": render_label(baked.versions, packages=bake.given.packages),
    }
    changes = [f"LABEL {key}={json.dumps(value)}" for key, value in labels.items()]
    options = [word for change in changes for word in ("--change", change)]
    try:
        # Not among the changes that a commit takes, but a container may have it.
        create = ["docker", "create", "--name", bake.container, "--stop-signal", STOP_SIGNAL]
        process.run([*create, baked.image], log=bake.log, timeout=60)
        commit = ["docker", "commit", *options, bake.container, reference]
        process.run(commit, log=bake.log, timeout=120)
    finally:
        process.run(["docker", "rm", bake.container], check=False, timeout=60, endable=False)
        # Goes only where the labelled image does not stand on it, that is after a failure.
        process.run(["docker", "rmi", baked.image], check=False, timeout=60, endable=False)


@contextmanager
def _explained(log: Path) -> Iterator[None]:
    """Say in plain words when a failure was the disk's."""
    try:
        yield
    except process.ProcessError as error:
        if "No space left on device" in log.read_text(encoding="utf-8", errors="replace"):
            raise LabError(
                "The disk is full: the image could not be written.",
                hint=DISK_HINT,
                log=log,
            ) from error
        raise


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    for left in parent.glob(f"{SCRATCH_PREFIX}*"):
        # Of a labctl that was killed: no step takes that long.
        if time.time() - left.stat().st_mtime > SCRATCH_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=parent, prefix=SCRATCH_PREFIX, ignore_cleanup_errors=True
    ) as name:
        # mmdebstrap and apt go on as other users, who must be able to pass through.
        Path(name).chmod(0o755)
        yield Path(name)


def _fresh_log(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path
