"""The kinds of boxes that are made of one disk, by the provider that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.libvirt.volumes import forget_base
from labctl.model import DEFAULT_SIZES, Provider, Role
from labctl.virtualbox.removal import remove_masters
from labctl.vm.boxes import box_file, make_libvirt_box, unregister
from labctl.vm.ovf import make_virtualbox_box
from labctl.vm.record import DISK, Record, folder_of


@dataclass(frozen=True, slots=True)
class BoxFormat:
    """A kind of box: how it is made (record, empty scratch folder, log), and how it is forgotten.

    `forget` removes what the provider itself has copied of a box when it was first used.
    """

    make: Callable[[Record, Path, Path], None]
    forget: Callable[[str], object]


def _make_virtualbox(record: Record, scratch: Path, log: Path) -> None:
    role = Role(record.role)
    make_virtualbox_box(
        folder_of(record.reference) / DISK,
        reference=record.reference,
        role=role,
        memory_mib=DEFAULT_SIZES[role].memory_mib,
        cpus=DEFAULT_SIZES[role].cpus,
        target=box_file(record, Provider.VIRTUALBOX),
        scratch=scratch,
        log=log,
    )


FORMATS: Mapping[Provider, BoxFormat] = {
    Provider.LIBVIRT: BoxFormat(make_libvirt_box, forget_base),
    Provider.VIRTUALBOX: BoxFormat(_make_virtualbox, remove_masters),
}


def forget(record: Record) -> None:
    """Take every box of an image back from Vagrant and from what runs machines.

    Errors: LabError when a machine still stands on one.
    """
    for name in record.boxes:
        provider = Provider(name)
        unregister(record.reference, provider)
        FORMATS[provider].forget(record.reference)
