"""The kinds of boxes that are made from one disk, by the provider that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.providers.libvirt.volumes import forget_base
from labctl.providers.virtualbox.removal import remove_masters
from labctl.providers.vm.boxes import box_file, make_libvirt_box, unregister
from labctl.providers.vm.ovf import make_virtualbox_box
from labctl.providers.vm.record import DISK, Record, folder_of
from labctl.topology.roles import role_facts
from labctl.topology.spec import ProviderName, Role


@dataclass(frozen=True, slots=True)
class BoxFormat:
    """A kind of box: how to make it (record, empty scratch folder, log), and how to remove it.

    `forget` removes the copy that the provider itself made when the box was first used.
    """

    make: Callable[[Record, Path, Path], None]
    forget: Callable[[str], object]


def _make_virtualbox(record: Record, scratch: Path, log: Path) -> None:
    role = Role(record.role)
    size = role_facts(role).size
    make_virtualbox_box(
        folder_of(record.reference) / DISK,
        reference=record.reference,
        role=role,
        memory_mib=size.memory_mib,
        cpus=size.cpus,
        target=box_file(record, ProviderName.VIRTUALBOX),
        scratch=scratch,
        log=log,
    )


FORMATS: Mapping[ProviderName, BoxFormat] = {
    ProviderName.LIBVIRT: BoxFormat(make_libvirt_box, forget_base),
    ProviderName.VIRTUALBOX: BoxFormat(_make_virtualbox, remove_masters),
}


def forget(record: Record) -> None:
    """Remove every box of an image from Vagrant and from the providers.

    Errors: LabError if a machine still uses one.
    """
    for name in record.boxes:
        provider = ProviderName(name)
        unregister(record.reference, provider)
        FORMATS[provider].forget(record.reference)
