"""Remove machines: a lab's own, those that killed calls left, and the masters of images."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from labctl.core.errors import LabError
from labctl.core.process import Result
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.virtualbox.inventory import (
    MADE_BY,
    Machine,
    description_of,
    list_names,
    read_machine,
    read_machines,
)
from labctl.providers.virtualbox.manage import ask, describe_failure, is_absent
from labctl.providers.virtualbox.messages import LOCKED, find_cause

UNLOCK_SECONDS = 15.0
"""How long VirtualBox may lock a machine after it was powered off."""

ABANDONED_SECONDS = 600.0
"""The age from which a clone with Vagrant's temporary name counts as abandoned; normally it has
that name for seconds."""

ONLINE = ("running", "paused", "starting", "stopping", "gurumeditation", "stuck")
"""States in which a machine has a process."""

INTERRUPTED = "an earlier run was interrupted"


def remove_machine(uuid: str) -> None:
    """Remove a machine with its disks, running or not, if it exists.

    Errors: LabError if VirtualBox does not unlock it in time.
    """
    power_off(uuid)
    last = Result((), 0, "")

    def is_unlocked() -> bool:
        nonlocal last
        last = ask("unregistervm", uuid, "--delete")
        return last.code == 0 or find_cause(last.errors) is not LOCKED

    wait_until(is_unlocked, deadline=Deadline.after(UNLOCK_SECONDS), interval=0.5)
    if last.code != 0 and not is_absent(last):
        raise describe_failure(last)


def power_off(uuid: str) -> None:
    """Turn off a machine's power, unless it is off or gone."""
    machine = read_machine(uuid)
    if machine is None or machine.state not in ONLINE:
        return
    result = ask("controlvm", uuid, "poweroff")
    # It may have ended by itself in the meantime.
    after = read_machine(uuid) if result.code != 0 else None
    if after is not None and after.state in ONLINE:
        raise describe_failure(result)


def remove_half_made(known: Mapping[str, str]) -> dict[str, str]:
    """Remove machines that lack some of their settings; returns the reasons by node.

    `known` are the machine ids that Vagrant remembers, by node.  Other machines are removed only
    if Vagrant cloned them from an image of labctl and never named them.
    """
    removed, names = {}, list_names()
    for node, uuid in known.items():
        if uuid in names and not names[uuid]:
            # Its files are gone, so nothing can be deleted, which VirtualBox reports as an error.
            ask("unregistervm", uuid)
            removed[node] = "its files are gone"
        elif uuid in names and (machine := read_machine(uuid)) and not machine.image:
            remove_machine(uuid)
            removed[node] = INTERRUPTED
    for uuid, name in names.items():
        if uuid not in known.values() and is_abandoned(name, now=time.time()):
            clone = read_machine(uuid)
            if clone is not None and clone.description.startswith(MADE_BY):
                remove_machine(uuid)
    return removed


def is_abandoned(name: str, *, now: float) -> bool:
    """Whether a machine has had Vagrant's temporary name of a clone for too long."""
    found = re.fullmatch(r"temp_clone_(\d+)_\d+", name)
    return found is not None and now - int(found[1]) / 1000 > ABANDONED_SECONDS


def remove_masters(reference: str) -> int:
    """Remove the masters from which an image's clones are made; returns their number.

    Errors: LabError that names the clones if there are any; VirtualBox would remove the master
    anyway and leave its disk behind.
    """
    kin = [one for one in read_machines() if one.description == description_of(reference)]
    masters = [machine for machine in kin if is_master(machine, reference)]
    if clones := [f"'{machine.name}'" for machine in kin if machine not in masters]:
        raise LabError(
            f"Machines use the image '{reference}': {', '.join(clones)}.",
            hint="Destroy their labs first.",
        )
    for machine in masters:
        remove_machine(machine.id)
    return len(masters)


def is_master(machine: Machine, reference: str) -> bool:
    """Whether a machine is an image's master, named by the image, a time and a number."""
    return re.fullmatch(rf"{re.escape(reference)}_\d+_\d+", machine.name) is not None
