"""Which images an `up` would make, found out without keeping anything of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labctl.core.errors import LabError
from labctl.images.make import CACHE, choose_plan
from labctl.images.packages import PackageOrigin
from labctl.images.store import ImageStore
from labctl.lab.machines import wanted_packages
from labctl.providers.table import provider_of
from labctl.topology.layout import roles_of
from labctl.topology.model import Topology
from labctl.topology.spec import Role, Spec

MIB = 1024 * 1024
NOT_COPIED = ("logs", "labctl-images-*", "*.lock")


@dataclass(frozen=True, slots=True)
class Bakes:
    """The image of each role, those that must be made, and whether their base must.

    `disk_mib` is what those of the same roles take that exist (None: there are none), `free_mib`
    what is free where images are kept.  `stand_ins` says whether they hold any.  `problem` says
    why nothing is known.
    """

    images: Mapping[Role, str]
    missing: tuple[Role, ...] = ()
    base: bool = False
    notice: str = ""
    disk_mib: int | None = 0
    free_mib: int | None = None
    stand_ins: bool = False
    problem: str = ""


def plan_bakes(spec: Spec, *, running: Topology | None, refresh: bool) -> Bakes:
    """What `labctl.lab.machines.ensure_images_of` would make."""
    store = provider_of(spec.provider).images
    try:
        found = frozenset[str]() if refresh else store.local()
        with _scratch_cache() as cache:
            plan = choose_plan(
                roles_of(spec),
                wanted_packages(spec, running=running, refresh=refresh),
                store=store,
                found=found,
                cache=cache,
                force=refresh,
                release=spec.debian,
            )
        missing = tuple(role for role in plan.roles if plan.roles[role] not in found)
        base = bool(missing) and plan.base not in found
        disk, free = _disk(store, missing) if missing else 0, free_mib(store.folder())
        stand_ins = any(it.origin is PackageOrigin.STAND_INS for it in plan.packages.packages)
    except LabError as error:
        return Bakes({}, problem=error.message)
    notice = plan.packages.notice or ""
    return Bakes(dict(plan.roles), missing, base, notice, disk, free, stand_ins)


@contextmanager
def _scratch_cache() -> Iterator[Path]:
    """A folder that holds what the cache holds, and that takes what would be added to it."""
    with tempfile.TemporaryDirectory(prefix="labctl-plan-") as name:
        cache = Path(name) / "cache"
        if CACHE.is_dir():
            ignore = shutil.ignore_patterns(*NOT_COPIED)
            shutil.copytree(CACHE, cache, copy_function=_link, ignore=ignore)
        cache.mkdir(exist_ok=True)
        yield cache


def _link(source: str, target: str) -> str:
    Path(target).symlink_to(Path(source).resolve())
    return target


def _disk(store: ImageStore, missing: tuple[Role, ...]) -> int | None:
    """What the newest images of these roles take together, in MiB."""
    sizes: dict[str, int] = {}
    for image in store.list():
        sizes.setdefault(image.role, image.size)
    if not all(str(role) in sizes for role in missing):
        return None
    return sum(sizes[str(role)] for role in missing) // MIB


def free_mib(folder: Path) -> int:
    """What is free on the disk of a folder, or of the folder in which it would be made."""
    there = next(it for it in (folder, *folder.parents) if it.exists())
    return shutil.disk_usage(there).free // MIB
