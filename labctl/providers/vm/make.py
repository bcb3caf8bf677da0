"""Make disks: the base, then each role, which is baked, checked, packed and booted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.images import debian, jitsi, packer
from labctl.images.bakeinput import BakeInput
from labctl.images.bakework import explained, fresh_log, in_parallel, scratch_folder
from labctl.images.plan import ImagePlan, render_label
from labctl.images.rootfs import SCRATCH
from labctl.images.store import BASE
from labctl.providers.vm.archive import digest
from labctl.providers.vm.bake import DiskBake
from labctl.providers.vm.bootcheck import check_boots
from labctl.providers.vm.disk import make_base_disk
from labctl.providers.vm.hypervisor import Hypervisor, find_hypervisor
from labctl.providers.vm.inside import find_traces
from labctl.providers.vm.record import DISK, File, Record, folder_of, images_dir, save_record
from labctl.topology.spec import Role

MOST_BYTES = 900_000_000
"""The most bytes of a packed role, because a whole class downloads it."""

BASE_BYTES = 2_500_000_000
ROLE_BYTES = 4_000_000_000
"""The most disk space that making a base and one role needs: raw and packed copies, with Java."""

CONVERT_SECONDS = 900.0
DISK_HINT = "'labctl images prune' removes images that nobody uses; 'df -h' shows what is full."


@dataclass(frozen=True, slots=True)
class DiskBakeSite:
    """What making disks needs: this machine's Debian and hypervisor, logs, and the progress."""

    mirror: debian.Mirror
    release: debian.Release
    hypervisor: Hypervisor
    logs: Path
    progress: Progress


def make_disks(
    plan: ImagePlan,
    roles: Sequence[Role],
    *,
    remake_base: bool,
    logs: Path,
    progress: Progress,
    jobs: int,
) -> None:
    """Make the disks of `roles`, and the base if it must be made; see `ImageStore.make`."""
    packer.check_packer()
    check_space((BASE_BYTES if remake_base else 0) + ROLE_BYTES * min(len(roles), jobs))
    if any(plan.packages.needs_jitsi(role) for role in roles):
        jitsi.check_jitsi(plan.packages.repository)
    hypervisor = find_hypervisor()
    accelerator = hypervisor.accelerator
    progress("images", f"virtual machines run with {accelerator}: {accelerator.why}")
    site = DiskBakeSite(
        debian.load_mirror(also=[plan.packages.repository.uri]),
        debian.load_release(plan.release),
        hypervisor,
        logs,
        progress,
    )
    if remake_base:
        _make_base(plan, site=site)
    in_parallel([partial(_make_role, plan, role, site=site) for role in roles], jobs=jobs)


def check_space(needed: int) -> None:
    """Check the free space where images are written.  Errors: LabError if it is below `needed`."""
    images_dir().mkdir(parents=True, exist_ok=True)
    for path in (images_dir(), SCRATCH):
        free = shutil.disk_usage(path).free
        if free < needed:
            raise LabError(
                f"The disk of '{path}' has {free // 1_000_000} MB free; images of virtual machines"
                f" need up to {needed // 1_000_000} MB while they are made.",
                hint=f"{DISK_HINT} '--jobs 1' needs least space.",
            )


def check_size(role: Role, size: int) -> None:
    """Check the size of a packed disk.  Errors: LabError if it is too large."""
    if size > MOST_BYTES:
        raise LabError(
            f"The image of '{role}' is {size // 1_000_000} MB packed, more than"
            f" {MOST_BYTES // 1_000_000} MB.",
            hint="Check the build log for a package that should not be there.",
        )


def _make_base(plan: ImagePlan, *, site: DiskBakeSite) -> None:
    site.progress("images", f"making a disk with Debian from '{site.mirror.main}'", node=BASE)
    log = fresh_log(site.logs / "build-disk-base.log")
    with explained(log, hint=DISK_HINT), scratch_folder(SCRATCH) as scratch:
        raw = scratch / "disk.raw"
        make_base_disk(raw, mirror=site.mirror, release=site.release, scratch=scratch, log=log)
        _convert(raw, scratch / DISK, packed=False, log=log)
        _keep(scratch / DISK, Record(plan.base, BASE, _now(), _file(scratch / DISK)))
    site.progress("images", f"made '{plan.base}'", node=BASE)


def _make_role(plan: ImagePlan, role: Role, *, site: DiskBakeSite) -> None:
    reference, log = plan.roles[role], fresh_log(site.logs / f"build-disk-{role}.log")

    def tell(message: str) -> None:
        site.progress("images", message, node=role)

    with explained(log, hint=DISK_HINT), scratch_folder(SCRATCH) as scratch:
        hypervisor, accelerator = site.hypervisor, site.hypervisor.accelerator
        tell(f"baking in a virtual machine ({accelerator})")
        given = BakeInput(role, plan.packages, site.mirror, site.release)
        job = DiskBake(given, folder_of(plan.base) / DISK, accelerator, log)
        baked = hypervisor.bake(job, scratch, tell)
        tell("checking the disk and packing it")
        disk = pack(baked.disk, role=role, scratch=scratch, log=log)
        tell("booting it")
        machine = hypervisor.boot(disk, role, accelerator, scratch)
        with consoles_kept(scratch, log=log):
            passed = check_boots(
                machine, role, accelerator=accelerator, hardware=hypervisor.hardware
            )
        label = render_label(baked.versions, packages=plan.packages)
        record = Record(reference, role, _now(), _file(disk), label, boot=asdict(passed))
        _keep(disk, record)
    tell(
        f"made '{reference}': {record.disk.bytes // 1_000_000} MB packed,"
        f" ssh after {passed.boot_seconds:.0f} s"
    )


@contextmanager
def consoles_kept(scratch: Path, *, log: Path) -> Iterator[None]:
    """If the boot check fails, append the text of the machine's console to the log."""
    try:
        yield
    except LabError as error:
        with log.open("a", encoding="utf-8") as file:
            for console in sorted(scratch.glob("guest-*/*.log")):
                text = console.read_text(encoding="utf-8", errors="replace")
                file.write(f"##### {console.parent.name}/{console.name}\n{text}\n")
        error.log = log
        raise


def pack(baked: Path, *, role: Role, scratch: Path, log: Path) -> Path:
    """The packed disk (qcow2) from a baked one, after checking that nothing belongs to one machine.

    Errors: LabError with everything that was found, or if it is too large.
    """
    raw, disk = scratch / "disk.raw", scratch / DISK
    _convert(baked, raw, packed=False, log=log)
    traces = find_traces(raw, scratch=scratch / "inside")
    if traces:
        lines = "".join(f"\n    {trace}" for trace in traces)
        raise LabError(
            f"The image of '{role}' holds data that no image may hold:{lines}",
            hint="'packer/scripts/clean.sh' must remove it.",
            log=log,
        )
    _convert(raw, disk, packed=True, log=log)
    raw.unlink()
    check_size(role, disk.stat().st_size)
    return disk


def _convert(source: Path, target: Path, *, packed: bool, log: Path) -> None:
    # Holes in the raw disk stay holes; packing uses all cores.
    options = ["-c", "-W", "-m", "4"] if packed else ["-S", "64k"]
    form = "raw" if target.suffix == ".raw" else "qcow2"
    process.run(
        ["qemu-img", "convert", *options, "-O", form, source, target],
        log=log,
        timeout=CONVERT_SECONDS,
        hint="Install the package 'qemu-utils'.",
    )


def _keep(disk: Path, record: Record) -> None:
    """Move a disk to its place and record it; an older one of that name is removed."""
    folder = folder_of(record.reference)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.move(disk, folder / DISK)
    save_record(record)


def _file(disk: Path) -> File:
    return File(DISK, disk.stat().st_size, digest(disk))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
