"""Images, one per role, cached by a hash of everything that goes into them.

Packages are those that the repository had when the image was baked.  An image does not change by
itself; `force` bakes it again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress, silent
from labctl.images.baketimes import note_bake
from labctl.images.debs import host_architecture
from labctl.images.packages import PackageSet, known_jitsi_set, resolve
from labctl.images.plan import ImageKind, ImagePlan
from labctl.images.store import ImageStore
from labctl.topology.spec import DEFAULT_RELEASE, Packages, PackageSource, Role
from labctl.topology.workdir import PROJECT, state_dir

CACHE = PROJECT / ".lab" / ".cache"


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
    release: str = DEFAULT_RELEASE,
) -> dict[Role, str]:
    """Make the images that are missing (with `force`, all of them) and name each role's image.

    If nothing is missing, the store is asked once.  At most `jobs` images are made at once; by
    default, as many as there are cores.  Logs go to `log_dir`.  However this ends, an image has
    its name only if it is complete.  Errors: LabError with the path of the log.
    """
    wanted = tuple(roles)
    with only_maker(store.kind, progress=progress):
        found = store.local()
        plan = choose_plan(
            wanted,
            packages,
            store=store,
            found=found,
            cache=cache,
            force=force,
            release=release,
            progress=progress,
        )
        if plan.packages.notice:
            progress(NOTICE, plan.packages.notice)
        missing = [role for role in plan.roles if force or plan.roles[role] not in found]
        if missing:
            base, began = force or plan.base not in found, time.monotonic()
            store.make(
                plan,
                missing,
                remake_base=base,
                force=force,
                logs=log_dir or cache / "logs",
                cache=cache,
                progress=progress,
                jobs=jobs or os.cpu_count() or 1,
            )
            seconds = time.monotonic() - began
            note_bake(store.kind, roles=len(missing), base=base, seconds=seconds)
    return dict(plan.roles)


def ensure_base(
    packages: Packages,
    *,
    store: ImageStore,
    progress: Progress,
    cache: Path = CACHE,
    release: str = DEFAULT_RELEASE,
) -> str:
    """The image of bare Debian that roles are baked on; it is made if it is missing.

    Errors: LabError, also for kinds of images of which only those of roles can be started.
    """
    match store.kind:
        case ImageKind.DISK:
            raise LabError("a virtual machine is not started from the base alone")
        case ImageKind.CONTAINER:
            pass
        case _:
            assert_never(store.kind)
    plan = choose_plan(
        [Role.JMS], packages, store=store, found=store.local(), cache=cache, release=release
    )
    if plan.base in store.local():
        # Whoever is baking roles meanwhile need not be waited for.
        return plan.base
    with only_maker(store.kind, progress=progress):
        if plan.base not in store.local():
            store.make(
                plan,
                (),
                remake_base=True,
                force=False,
                logs=cache / "logs",
                cache=cache,
                progress=progress,
                jobs=1,
            )
    return plan.base


def choose_plan(
    roles: Iterable[Role],
    packages: Packages,
    *,
    store: ImageStore,
    found: frozenset[str],
    cache: Path,
    force: bool = False,
    release: str = DEFAULT_RELEASE,
    progress: Progress = silent,
) -> ImagePlan:
    """The images for `packages`; existing ones of real packages stay even if Jitsi is silent."""
    wanted, architecture = tuple(roles), host_architecture()

    def plan_of(found: PackageSet) -> ImagePlan:
        return store.plan(wanted, found, architecture=architecture, release=release)

    if packages.source is PackageSource.AUTO and not force:
        known = known_jitsi_set(packages, cache=cache)
        plan = plan_of(known) if known else None
        if plan is not None and found.issuperset(plan.roles.values()):
            return plan
    return plan_of(resolve(packages, cache=cache, force=force, progress=progress))


@contextmanager
def only_maker(kind: ImageKind, *, progress: Progress) -> Iterator[None]:
    """Lock the images of one kind for this process; the kernel releases the lock when it ends."""
    path = state_dir() / f"images-{kind}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("images", "waiting for another labctl that is making images")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
