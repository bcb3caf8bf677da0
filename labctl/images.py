"""Images, one per role, cached by a hash of all that goes in.

What comes from a package repository is whatever that held when the image was baked: an image
does not change by itself, and `force` bakes it anew.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.debs import host_architecture
from labctl.imageplan import Plan
from labctl.imagestore import ImageStore
from labctl.model import Packages, PackageSource, Role
from labctl.packages import known_jitsi_set, resolve
from labctl.progress import NOTICE, Progress
from labctl.workdir import ROOT, state_dir

CACHE = ROOT / ".lab" / ".cache"


def ensure_images(
    roles: Iterable[Role],
    packages: Packages,
    *,
    store: ImageStore,
    progress: Progress,
    cache: Path = CACHE,
    log_dir: Path | None = None,
    force: bool = False,
    jobs: int | None = None,
) -> dict[Role, str]:
    """Make the images that are missing (with `force`: all of them) and name each role's.

    Where nothing is missing the store is asked once.  At most `jobs` images are made at once,
    as many as there are cores where nothing is said.  Logs go to `log_dir`.  Errors: LabError
    with the log's place; whatever ends this, an image has its name only when it is whole.
    """
    wanted = tuple(roles)
    with _own(state_dir() / f"images-{store.kind}.lock", progress=progress):
        found = store.local()
        plan = choose_plan(wanted, packages, store=store, found=found, cache=cache, force=force)
        if plan.packages.notice:
            progress(NOTICE, plan.packages.notice)
        missing = [role for role in plan.roles if force or plan.roles[role] not in found]
        if missing:
            store.make(
                plan,
                missing,
                remake_base=force or plan.base not in found,
                force=force,
                logs=log_dir or cache / "logs",
                cache=cache,
                progress=progress,
                jobs=jobs or os.cpu_count() or 1,
            )
    return dict(plan.roles)


def choose_plan(
    roles: Iterable[Role],
    packages: Packages,
    *,
    store: ImageStore,
    found: frozenset[str],
    cache: Path,
    force: bool = False,
) -> Plan:
    """The images for `packages`; real ones that are there stay, whether Jitsi answers or not."""
    wanted, architecture = tuple(roles), host_architecture()
    if packages.source is PackageSource.AUTO and not force:
        known = known_jitsi_set(packages, cache=cache)
        plan = store.plan(wanted, known, architecture=architecture) if known else None
        if plan is not None and found.issuperset(plan.roles.values()):
            return plan
    chosen = resolve(packages, cache=cache, force=force)
    return store.plan(wanted, chosen, architecture=architecture)


@contextmanager
def _own(path: Path, *, progress: Progress) -> Iterator[None]:
    """Hold the images of one kind for this process; the kernel lets go when it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("images", "waiting for another labctl that makes images")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
