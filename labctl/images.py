"""Images, one per role, cached by a hash of all that goes in.

What comes from a package repository is whatever that held when the image was baked: an image
does not change by itself, and `force` bakes it anew.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl import process
from labctl.baking import DOCKER_HINT, Progress, make_images
from labctl.debs import host_architecture
from labctl.imageplan import Installed, Plan, parse_label, plan_images
from labctl.model import Packages, PackageSource, Role
from labctl.packages import known_jitsi_set, resolve
from labctl.workdir import ROOT, state_dir

CACHE = ROOT / ".lab" / ".cache"


def ensure_images(
    roles: Iterable[Role],
    packages: Packages,
    *,
    progress: Progress,
    cache: Path = CACHE,
    log_dir: Path | None = None,
    force: bool = False,
) -> dict[Role, str]:
    """Make the images that are missing (with `force`: all of them) and name each role's.

    Costs one call of docker where nothing is missing.  Logs go to `log_dir`.  Errors: LabError
    with the log's place; whatever ends this, an image has its name only when it is whole.
    """
    wanted = tuple(roles)
    with _own(state_dir() / "images.lock", progress=progress):
        found = local_images()
        plan = choose_plan(wanted, packages, found=found, cache=cache, force=force)
        if plan.packages.notice:
            progress("notice", plan.packages.notice)
        missing = [role for role in plan.roles if force or plan.roles[role] not in found]
        if missing:
            make_images(
                plan,
                missing,
                remake_base=force or plan.base not in found,
                logs=log_dir or cache / "logs",
                cache=cache,
                progress=progress,
            )
    return dict(plan.roles)


def choose_plan(
    roles: Iterable[Role],
    packages: Packages,
    *,
    found: frozenset[str],
    cache: Path,
    force: bool = False,
) -> Plan:
    """The images for `packages`; real ones that are there stay, whether Jitsi answers or not."""
    wanted, architecture = tuple(roles), host_architecture()
    if packages.source is PackageSource.AUTO and not force:
        known = known_jitsi_set(packages, cache=cache)
        plan = plan_images(wanted, known, architecture=architecture) if known else None
        if plan is not None and found.issuperset(plan.roles.values()):
            return plan
    chosen = resolve(packages, cache=cache, force=force)
    return plan_images(wanted, chosen, architecture=architecture)


def local_images() -> frozenset[str]:
    """References of all images of labctl that Docker has."""
    listing = process.run(
        [
            "docker",
            "images",
            "--filter",
            "label=labctl.hash",
            "--format",
            "{{.Repository}}:{{.Tag}}",
        ],
        hint=DOCKER_HINT,
        timeout=30,
    )
    return frozenset(listing.output.split())


def image_packages(reference: str) -> dict[str, Installed]:
    """What an image holds of Jitsi, Prosody, nginx and coturn, read from its label."""
    template = '{{index .Config.Labels "labctl.packages"}}'
    result = process.run(
        ["docker", "image", "inspect", "--format", template, reference],
        hint="'labctl build' makes it.",
        timeout=30,
    )
    return parse_label(result.output)


@contextmanager
def _own(path: Path, *, progress: Progress) -> Iterator[None]:
    """Hold the engine's images for this process; the kernel lets go when it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("images", "waiting for another labctl that makes images")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
