"""What is kept of an image, and the boxes that are made of it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import ClassVar

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import Progress, silent
from labctl.images.packages import PackageSet
from labctl.images.plan import ImagePlan
from labctl.providers.vm import needs as disk_needs
from labctl.providers.vm.archive import digest, write_archive
from labctl.providers.vm.boxes import box_file, make_libvirt_box, registered
from labctl.providers.vm.record import (
    DISK,
    File,
    Record,
    folder_of,
    load_record,
    load_records,
    save_record,
)
from labctl.providers.vm.store import DiskStore
from labctl.topology.spec import ProviderName, Role
from tests.samples import SAMPLES


@pytest.fixture(autouse=True)
def _data_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))


def make_record(
    reference: str = "labctl-jvb-0123", created: str = "2026-11-21T12:00:00Z"
) -> Record:
    folder = folder_of(reference)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DISK).write_bytes(b"disk")
    file = File(DISK, 4, digest(folder / DISK))
    record = Record(reference, "jvb", created, file, "{}", {"boot_seconds": 30.0})
    save_record(record)
    return record


def test_a_record_is_read_as_it_was_written() -> None:
    record = make_record()
    assert load_record(record.reference) == record


def test_the_newest_comes_first_and_a_folder_without_a_record_is_no_image() -> None:
    make_record("labctl-jvb-1", "2026-11-20T12:00:00Z")
    make_record("labctl-jvb-2", "2026-11-21T12:00:00Z")
    folder_of("labctl-jms-3").mkdir()
    assert [record.reference for record in load_records()] == ["labctl-jvb-2", "labctl-jvb-1"]


@pytest.mark.parametrize(
    "text", ["", "{", '{"format": 2}', '{"format": 1}', '{"format": 1, "disk": 3}']
)
def test_a_damaged_record_is_an_error_with_advice(text: str) -> None:
    record = make_record()
    (folder_of(record.reference) / "image.json").write_text(text)
    with pytest.raises(LabError, match="cannot be read") as caught:
        load_record(record.reference)
    assert caught.value.hint is not None
    assert "labctl build" in caught.value.hint
    assert load_records() == []


def test_a_record_of_another_version_is_not_taken_for_one_of_ours() -> None:
    """What it means by the same words may be something else."""
    record = make_record()
    path = folder_of(record.reference) / "image.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"format": data["format"] + 1}))
    with pytest.raises(LabError, match="another format"):
        load_record(record.reference)
    assert load_records() == []


def test_no_record() -> None:
    with pytest.raises(LabError, match="There is no image 'x'"):
        load_record("x")


def test_a_libvirt_box_holds_the_disk_as_it_is_and_is_the_same_every_time(tmp_path: Path) -> None:
    record = make_record()
    made = []
    for number in range(2):
        scratch = tmp_path / f"scratch{number}"
        scratch.mkdir()
        make_libvirt_box(record, scratch, tmp_path / "log")
        made.append(box_file(record, ProviderName.LIBVIRT).read_bytes())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as archive:
        names = archive.getnames()
        disk = archive.extractfile("box.img")
        assert disk is not None
        assert disk.read() == b"disk"
    assert set(names) == {"metadata.json", "Vagrantfile", "box.img"}


def test_a_box_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be written"):
        write_archive({"a": tmp_path / "missing"}, target=tmp_path / "x.box")
    assert list(tmp_path.glob("*x.box*")) == []


@pytest.mark.parametrize("between", ["0", "0/amd64"], ids=["Vagrant 2.3", "Vagrant 2.4"])
def test_a_box_that_vagrant_has_is_found(tmp_path: Path, between: str) -> None:
    assert registered("labctl-jvb-1", ProviderName.LIBVIRT) is None
    folder = tmp_path / "vagrant" / "boxes" / "labctl-jvb-1" / between / "libvirt"
    folder.mkdir(parents=True)
    assert registered("labctl-jvb-1", ProviderName.LIBVIRT) is None
    (folder / "metadata.json").write_text("{}")
    assert registered("labctl-jvb-1", ProviderName.LIBVIRT) == folder
    assert registered("labctl-jvb-1", ProviderName.VIRTUALBOX) is None


@pytest.mark.parametrize("there", [True, False])
def test_boxes_are_made_for_others_without_libvirt_and_virtualbox(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(
        disk_needs, "find_program", lambda name: f"/usr/bin/{name}" if there else None
    )
    needed = {need.name for need in disk_needs.DISK_IMAGES if need.when()}
    assert not needed & {"libvirtd", "virsh", "VBoxManage", "docker"}
    # One hypervisor is enough, and QEMU is the one that Debian has.
    assert ("qemu-system-x86_64" in needed) is not there
    assert {"packer", "vagrant", "mmdebstrap", "xorriso", "qemu-img"} <= needed


class Store(DiskStore):
    """A store that notes what it bakes and what it makes boxes of."""

    said: ClassVar[list[str]] = []

    def _make_box(self, reference: str, role: Role, *, logs: Path, progress: Progress) -> None:
        self.said.append(f"box {role}")


@pytest.mark.parametrize(
    ("force", "said"),
    [(False, ["bake jms", "box jms", "box jvb"]), (True, ["bake jms jvb", "box jms", "box jvb"])],
)
def test_a_disk_that_is_there_only_needs_its_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool, said: list[str]
) -> None:
    monkeypatch.setattr(Store, "said", [])

    def bake(plan: ImagePlan, roles: list[Role], **_: object) -> None:
        Store.said.append(f"bake {' '.join(roles)}")

    monkeypatch.setattr("labctl.providers.vm.store.make_disks", bake)
    record = make_record()
    roles = {Role.JMS: "labctl-jms-1", Role.JVB: record.reference}
    Store(ProviderName.VIRTUALBOX).make(
        ImagePlan("labctl-base-1", roles, PackageSet(())),
        list(roles),
        remake_base=True,
        force=force,
        cache=tmp_path,
        logs=tmp_path,
        progress=silent,
        jobs=1,
    )
    assert Store.said == said


def test_a_record_of_the_first_labctl_is_read() -> None:
    reference = "labctl-jvb-1123456789ab"
    sample = SAMPLES / "data" / "labctl" / "images" / reference / "image.json"
    folder_of(reference).mkdir(parents=True)
    (folder_of(reference) / "image.json").write_text(sample.read_text())
    record = load_record(reference)
    assert (record.role, record.disk.bytes, record.boxes["libvirt"].bytes) == ("jvb", 1234, 99)
