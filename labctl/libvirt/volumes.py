"""The storage pool: base volumes that machines stand on, and the seeds of machines."""

from __future__ import annotations

import re
from pathlib import Path

from labctl.errors import LabError
from labctl.libvirt.virsh import ask, virsh
from labctl.model import Node, Provider
from labctl.vm.boxes import VERSION, registered
from labctl.vm.disk import read_capacity
from labctl.vm.seed import contents_mark, identity, make_seed
from labctl.workdir import Workdir, state_dir, write_file

POOL = "default"
"""vagrant-libvirt's own choice."""

POOL_PATH = Path("/var/lib/libvirt/images")
UPLOAD_SECONDS = 600.0


def ensure_pool() -> None:
    """Make the pool where there is none, and start it."""
    if ask("pool-info", POOL).code != 0:
        virsh("pool-define-as", POOL, "dir", "--target", POOL_PATH)
        virsh("pool-build", POOL)
        virsh("pool-autostart", POOL)
    if not re.search(r"^State: +running", virsh("pool-info", POOL), re.MULTILINE):
        virsh("pool-start", POOL)


def pool_path() -> Path:
    """The folder of the pool."""
    found = re.search(r"<path>([^<]+)</path>", virsh("pool-dumpxml", POOL))
    return Path(found[1]) if found else POOL_PATH


def volume_names() -> set[str]:
    """Names of all volumes in the pool; what lies there by now is seen."""
    virsh("pool-refresh", POOL)
    # Name and path in two columns; the names here have no blanks.
    return {line.split()[0] for line in virsh("vol-list", POOL).splitlines() if line.strip()}


def base_volume(reference: str) -> str:
    """The name by which vagrant-libvirt looks for a box's disk in the pool (`HandleBoxImage`)."""
    return f"{reference}_vagrant_box_image_{VERSION}_box.img"


def ensure_base(reference: str, *, used: set[str]) -> None:
    """Put the disk of a box into the pool, whole.

    Vagrant would do it, too, but what it leaves when it is killed in the middle it takes for
    whole the next time.  `used` are volumes that machines stand on.  Errors: LabError.
    """
    name, folder = base_volume(reference), registered(reference, Provider.LIBVIRT)
    if folder is None:
        raise LabError(f"Vagrant has no box '{reference}'.", hint="'labctl build' makes it.")
    there = name in volume_names()
    if there and (name in used or _mark(name).is_file()):
        return
    if there:
        virsh("vol-delete", name, "--pool", POOL)
    _mark(name).unlink(missing_ok=True)
    disk = folder / "box.img"
    _upload(name, disk, capacity=read_capacity(disk), form="qcow2")
    write_file(_mark(name), "")


def forget_base(reference: str) -> None:
    """Remove the base volume of an image."""
    name = base_volume(reference)
    if ask("pool-info", POOL).code == 0:
        remove_volumes({name})
    _mark(name).unlink(missing_ok=True)


def seed_name(lab: str, node: str) -> str:
    return f"labctl-{lab}-{node}-seed.iso"


def seed_digest(workdir: Workdir, node: Node) -> str:
    """What a node's seed is made from, as a digest: another one is another machine."""
    return contents_mark(identity(workdir.ssh / "nodes" / node.name, name=node.name))


def save_seed(workdir: Workdir, node: Node, *, scratch: Path) -> None:
    """Make a node's seed and put it into the pool in place of an older one."""
    name = seed_name(workdir.lab, node.name)
    files = identity(workdir.ssh / "nodes" / node.name, name=node.name)
    target = scratch / name
    make_seed(target, files, scratch=scratch)
    if name in volume_names():
        virsh("vol-delete", name, "--pool", POOL)
    _upload(name, target, capacity=target.stat().st_size, form="raw")


def remove_volumes(names: set[str]) -> None:
    """Remove those of the named volumes that are there."""
    for name in names & volume_names():
        virsh("vol-delete", name, "--pool", POOL)


def _upload(name: str, file: Path, *, capacity: int, form: str) -> None:
    virsh(
        *("vol-create-as", POOL, name, str(capacity), "--allocation", "0", "--format", form),
        timeout=UPLOAD_SECONDS,
    )
    try:
        virsh("vol-upload", name, file, "--pool", POOL, "--sparse", timeout=UPLOAD_SECONDS)
    except BaseException:
        ask("vol-delete", name, "--pool", POOL)
        raise


def _mark(volume: str) -> Path:
    """A file that says that a volume was uploaded to its end."""
    return state_dir() / "libvirt-volumes" / volume
