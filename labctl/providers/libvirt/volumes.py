"""The storage pool: base volumes on which machines are based, and the seeds of machines."""

from __future__ import annotations

import re
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.providers.libvirt.virsh import ask, virsh
from labctl.providers.vm.boxes import VERSION, registered
from labctl.providers.vm.disk import read_capacity
from labctl.providers.vm.seed import contents_mark, identity, make_seed
from labctl.topology.model import Node
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import Workdir, state_dir

POOL = "default"
"""vagrant-libvirt's own choice."""

POOL_PATH = Path("/var/lib/libvirt/images")
UPLOAD_SECONDS = 600.0


def ensure_pool() -> None:
    """Make the pool if there is none, and start it."""
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
    """The names of all volumes in the pool, including files that were just added."""
    virsh("pool-refresh", POOL)
    # Name and path in two columns; these names have no blanks.
    return {line.split()[0] for line in virsh("vol-list", POOL).splitlines() if line.strip()}


def base_volume(reference: str) -> str:
    """The name by which vagrant-libvirt looks for a box's disk in the pool (`HandleBoxImage`)."""
    return f"{reference}_vagrant_box_image_{VERSION}_box.img"


def ensure_base(reference: str, *, used: set[str]) -> None:
    """Put the complete disk of a box into the pool.

    Vagrant would do it too, but if it is killed halfway, it takes the partial volume for complete
    the next time.  `used` are volumes on which machines are based.  Errors: LabError.
    """
    name, folder = base_volume(reference), registered(reference, ProviderName.LIBVIRT)
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
    """A digest of what a node's seed is made from; if it changes, the machine is made again."""
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
    """Remove those of the named volumes that exist."""
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
    """The file that records that a volume was uploaded completely."""
    return state_dir() / "libvirt-volumes" / volume
