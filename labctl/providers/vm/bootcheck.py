"""The boot check: a disk becomes an image only after it has booted and passed these checks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from labctl.core.errors import LabError
from labctl.providers.vm.accel import Accelerator
from labctl.providers.vm.guest import Guest
from labctl.topology.roles import image_units
from labctl.topology.spec import Role

ASK = r"""
systemctl is-system-running --wait | sed 's/^/state /'
systemctl list-units --failed --plain --no-legend --no-pager | sed 's/ .*//; s/^/failed /'
for unit in UNITS; do
    echo "unit $unit $(systemctl show --property LoadState --value "$unit")" \
        "$(systemctl show --property ActiveState --value "$unit")" \
        "$(systemctl is-enabled "$unit" 2>/dev/null)"
done
echo "name $(hostname)"
echo "id $(cat /etc/machine-id)"
echo "address $(ip -4 -o addr show dev eth0 | wc -l)"
"""


@dataclass(frozen=True, slots=True)
class BootResult:
    """The result of a successful boot check: seconds until ssh answered, and on which hardware."""

    boot_seconds: float
    accelerator: str
    hardware: str


def boot_name(role: Role) -> str:
    """The name of a machine during the boot check."""
    return f"boot-{role}"


def check_boots(
    machine: AbstractContextManager[Guest], role: Role, *, accelerator: Accelerator, hardware: str
) -> BootResult:
    """Boot a machine named `boot_name` from a role's disk, and check what runs.

    Errors: LabError with everything that is wrong, or with the console if it does not boot.
    """
    with machine as guest:
        problems = ask_guest(guest, role, patience=accelerator.patience)
        if problems:
            lines = "".join(f"\n    {problem}" for problem in problems)
            raise LabError(f"The image of '{role}' boots, but has problems:{lines}")
        return BootResult(round(guest.boot_seconds, 1), str(accelerator), hardware)


def ask_guest(guest: Guest, role: Role, *, patience: float) -> list[str]:
    """What is wrong with a booted machine, in sentences."""
    script = ASK.replace("UNITS", " ".join(image_units(role)))
    said = guest.run(script, timeout=60 * patience, check=False).output
    return find_problems(said.splitlines(), role=role, name=guest.name)


def find_problems(lines: Sequence[str], *, role: Role, name: str) -> list[str]:
    """The same from the machine's answers: a word and values on each line."""
    rows = [line.split() for line in lines if line.strip()]
    problems = [f"unit '{row[1]}' failed" for row in rows if row[0] == "failed"]
    found = {row[0]: row[1] if len(row) > 1 else "" for row in rows if row[0] != "unit"}
    if found.get("state") != "running":
        problems.append(f"systemd says '{found.get('state', 'nothing')}', not 'running'")
    if found.get("name") != name:
        problems.append(f"its name is '{found.get('name', '')}', but its seed says '{name}'")
    if len(found.get("id", "")) != 32:
        problems.append("it made no machine id for itself")
    if found.get("address") != "1":
        problems.append("eth0 has no address")
    units = {row[1]: row[2:] for row in rows if row[0] == "unit"}
    for unit in image_units(role):
        match units.get(unit, []):
            case ["loaded", "inactive", "disabled" | "static" | "indirect"]:
                continue
            case ["loaded", *state]:
                problems.append(f"unit '{unit}' is {' and '.join(state)}, but must not start yet")
            case _:
                problems.append(f"there is no unit '{unit}'")
    return problems
