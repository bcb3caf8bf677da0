"""Whether many labs fit into this machine together: their memory and what their disks grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress
from labctl.lab.bakes import free_mib
from labctl.lab.fit import available_mib, gib, judge_fit, nodes_of
from labctl.providers.table import provider_of
from labctl.topology.spec import Spec

CONTAINER_MIB = 64
MACHINE_MIB = 1024
"""Disk that is set aside for each node, besides its image, which all nodes of a role share.

A container has written 1 to 4 MiB when its lab is up; the rest is for a day's logs and captures.
"""


@dataclass(frozen=True, slots=True)
class Room:
    """What labs need together and what is free, in MiB; None if nobody knows that."""

    memory: int
    memory_free: int
    disk: int
    disk_free: int | None

    def __str__(self) -> str:
        free = "not known" if self.disk_free is None else gib(self.disk_free)
        return (
            f"{gib(self.memory)} of memory (free: {gib(self.memory_free)}),"
            f" {gib(self.disk)} of disk (free: {free})"
        )


def check_room(
    specs: Sequence[Spec],
    *,
    asked: int,
    progress: Progress,
    available: int | None = None,
    disk_free: int | None = None,
) -> Room:
    """Refuse new labs that do not fit together; report some whose machines may want more.

    `asked` counts the labs that are there already, too.  Errors: LabError with how many fit.
    """
    available = available_mib() if available is None else available
    disk_free = disk_free_mib(specs[0]) if disk_free is None else disk_free
    needs = [judge_fit(spec, available=available).needed for spec in specs]
    disks = [disk_mib(spec) for spec in specs]
    room = Room(sum(needs), available, sum(disks), disk_free)
    there = asked - len(specs)
    if room.memory > available:
        raise _refused("memory", room.memory, specs, free=available, needs=needs, there=there)
    if disk_free is not None and room.disk > disk_free:
        raise _refused("disk", room.disk, specs, free=disk_free, needs=disks, there=there)
    whole = sum(judge_fit(spec, available=available).whole for spec in specs)
    if whole > available:
        progress(
            NOTICE,
            f"{gib(available)} of memory are free, and the machines of {len(specs)} labs may use"
            f" {gib(whole)} together. If the kernel ends programs, use fewer labs or '--small'.",
        )
    return room


def how_many_fit(needs: Sequence[int], *, free: int) -> int:
    """How many labs fit, the first ones first."""
    count = 0
    for need in needs:
        free -= need
        if free < 0:
            break
        count += 1
    return count


def disk_free_mib(spec: Spec) -> int | None:
    """What is free where the provider keeps its machines; None before it is installed."""
    try:
        return free_mib(provider_of(spec.provider).images.folder())
    except LabError:
        return None


def disk_mib(spec: Spec) -> int:
    """What is set aside for what a lab's nodes write, in MiB."""
    each = MACHINE_MIB if provider_of(spec.provider).own_kernel else CONTAINER_MIB
    return each * len(nodes_of(spec))


def _refused(
    what: str, needed: int, specs: Sequence[Spec], *, free: int, needs: Sequence[int], there: int
) -> LabError:
    fit = how_many_fit(needs, free=free)
    labs = f"{len(specs)} {'more ' if there else ''}labs"
    return LabError(
        f"{labs} need at least {gib(needed)} of {what}, and {gib(free)} are free:"
        f" {_fit_words(fit)}.",
        hint=" ".join(_hints(what, specs, free=free, fit=fit, there=there)),
    )


def _fit_words(fit: int) -> str:
    match fit:
        case 0:
            return "not one of them fits"
        case 1:
            return "1 of them fits"
        case _:
            return f"{fit} of them fit"


def _hints(what: str, specs: Sequence[Spec], *, free: int, fit: int, there: int) -> list[str]:
    """What would fit: fewer labs, or small ones."""
    found = [f"Use '--count {there + fit}'."] if fit else []
    if what == "memory" and not all(spec.small for spec in specs):
        small = [replace(spec, small=True, sizes={}) for spec in specs]
        least = how_many_fit([judge_fit(it, available=free).needed for it in small], free=free)
        if least > fit:
            found.append(f"With '--small', {least} fit.")
        elif judge_fit(specs[0], available=free).whole > judge_fit(small[0], available=free).whole:
            found.append("With '--small', machines may use less.")
    found.append("Fewer bridges take less, too ('--jvbs').")
    return found
