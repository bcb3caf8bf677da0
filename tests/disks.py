"""Disks of virtual machines, made once for all tests that want one: the base, and a baked role."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.host.needs import Need
from labctl.images.debian import load_mirror, load_release
from labctl.images.make import ensure_images
from labctl.providers.vm.disk import make_base_disk
from labctl.providers.vm.needs import DISKS, QEMU
from labctl.providers.vm.record import DISK, Record, folder_of, load_record
from labctl.providers.vm.store import DiskStore
from labctl.topology.spec import Packages, PackageSource, ProviderName, Role
from tests.prepare import tell

LIBVIRT = DiskStore(ProviderName.LIBVIRT)
ROLE = Role.JVB


@dataclass(frozen=True)
class Homes:
    """Where images and boxes are kept in these tests, apart from the user's."""

    data: Path
    vagrant: Path

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(self.data))
        monkeypatch.setenv("VAGRANT_HOME", str(self.vagrant))


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    folder = tmp_path_factory.mktemp("images")
    yield Homes(folder / "data", folder / "vagrant")
    # A gigabyte that pytest would keep for three more runs.
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def base_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The disk (qcow2) that roles are baked on; half a minute, for nothing is emulated."""
    _need(*DISKS, programs=("mmdebstrap",))
    folder = tmp_path_factory.mktemp("base")
    raw, disk = folder / "disk.raw", folder / DISK
    make_base_disk(
        raw,
        mirror=load_mirror(),
        release=load_release(),
        scratch=folder,
        log=folder / "base.log",
    )
    convert = ["qemu-img", "convert", "-S", "64k", "-O", "qcow2", raw, disk]
    subprocess.run(convert, check=True, capture_output=True)
    raw.unlink()
    yield disk
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def baked(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of the bridge's image on stand-ins, made here and now, as `build` makes it.

    Base disk, Packer's bake, look inside, boot check, libvirt box: three to five minutes.
    """
    _need(QEMU, *DISKS, programs=("packer", "vagrant", "mmdebstrap"))
    packages = Packages(source=PackageSource.STAND_INS)
    with pytest.MonkeyPatch.context() as monkeypatch:
        homes.use(monkeypatch)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        cache = tmp_path_factory.mktemp("cache")
        return ensure_images([ROLE], packages, store=LIBVIRT, progress=tell, cache=cache)[ROLE]


def _need(*needs: Need, programs: tuple[str, ...]) -> None:
    lacking = [need.name for need in needs if need.find() is None]
    lacking += [name for name in programs if not shutil.which(name)]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")


@pytest.fixture
def record(baked: str, homes: Homes, monkeypatch: pytest.MonkeyPatch) -> Record:
    """The image's record; the test sees the store that holds it."""
    homes.use(monkeypatch)
    return load_record(baked)


@pytest.fixture
def disk(record: Record) -> Path:
    """The image's disk, a packed qcow2, in a test that sees the store that holds it."""
    return folder_of(record.reference) / DISK
