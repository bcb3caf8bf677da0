"""Removing machines: a lab's own, those that killed calls left, the masters of images."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from labctl.errors import LabError
from labctl.process import Result
from labctl.virtualbox.inventory import (
    MADE_BY,
    Machine,
    description_of,
    list_names,
    read_machine,
    read_machines,
)
from labctl.virtualbox.manage import ask, describe_failure, is_absent
from labctl.virtualbox.messages import LOCKED, find_cause
from labctl.waiting import Deadline, wait_until

UNLOCK_SECONDS = 15.0
"""How long VirtualBox may hold a machine after it was powered off."""

ABANDONED_SECONDS = 600.0
"""Age from which a clone that still has Vagrant's temporary name is nobody's; it has that name for
seconds."""

ONLINE = ("running", "paused", "starting", "stopping", "gurumeditation", "stuck")
"""States in which a machine has a process."""

INTERRUPTED = "an earlier run was interrupted"


def remove_machine(uuid: str) -> None:
    """Remove a machine with its disks, running or not; nothing when it has gone.

    Errors: LabError when VirtualBox does not let go of it in time.
    """
    power_off(uuid)
    last = Result((), 0, "")

    def is_settled() -> bool:
        nonlocal last
        last = ask("unregistervm", uuid, "--delete")
        return last.code == 0 or find_cause(last.errors) is not LOCKED

    wait_until(is_settled, deadline=Deadline.after(UNLOCK_SECONDS), interval=0.5)
    if last.code != 0 and not is_absent(last):
        raise describe_failure(last)


def power_off(uuid: str) -> None:
    """Take a machine's power; nothing for one that is off or gone."""
    machine = read_machine(uuid)
    if machine is None or machine.state not in ONLINE:
        return
    result = ask("controlvm", uuid, "poweroff")
    # It may have ended by itself meanwhile.
    after = read_machine(uuid) if result.code != 0 else None
    if after is not None and after.state in ONLINE:
        raise describe_failure(result)


def remove_half_made(known: Mapping[str, str]) -> dict[str, str]:
    """Remove machines that have not got all their settings; why, by node.

    `known` are the machine ids that Vagrant remembers by node; of others only those go that Vagrant
    cloned from an image of labctl and never named.
    """
    removed, names = {}, list_names()
    for node, uuid in known.items():
        if uuid in names and not names[uuid]:
            # Its files are gone, so there is nothing to delete, and VirtualBox says so as an error.
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
    """Whether a machine has had the name that Vagrant gives to a clone at first for too long."""
    found = re.fullmatch(r"temp_clone_(\d+)_\d+", name)
    return found is not None and now - int(found[1]) / 1000 > ABANDONED_SECONDS


def remove_masters(reference: str) -> int:
    """Remove the machines that clones of an image start from; how many there were.

    Errors: LabError that names the clones when there are any.  VirtualBox would forget the master
    in spite of them, and leave its disk behind.
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
    """Whether a machine is what Vagrant imported of an image: its name, a time, a number."""
    return re.fullmatch(rf"{re.escape(reference)}_\d+_\d+", machine.name) is not None
