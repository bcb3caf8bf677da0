"""The boot gate: a disk counts as an image only once it has booted and shown what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from labctl.errors import LabError
from labctl.model import Role
from labctl.vm.accel import Accelerator
from labctl.vm.guest import Guest

UNITS: Mapping[Role, tuple[str, ...]] = {
    Role.JMS: ("prosody", "nginx", "jicofo", "jitsi-videobridge2", "coturn", "nftables"),
    Role.JVB: ("jitsi-videobridge2", "nftables"),
    Role.VISITORS: ("prosody", "nftables"),
}
"""Units that a role's image must have, and that nothing may start before `up` has configured it."""

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
class Passed:
    """A disk that came through: how long it took until ssh answered, and on what."""

    boot_seconds: float
    accelerator: str
    hardware: str


def gate_name(role: Role) -> str:
    """What a machine is called while it goes through the gate."""
    return f"gate-{role}"


def check_boots(
    machine: AbstractContextManager[Guest], role: Role, *, accelerator: Accelerator, hardware: str
) -> Passed:
    """Boot a machine of a role's disk, called `gate_name`, and look at what runs.

    Errors: LabError with everything that is wrong, or with the console where it does not boot.
    """
    with machine as guest:
        problems = ask(guest, role, patience=accelerator.patience)
        if problems:
            lines = "".join(f"\n    {problem}" for problem in problems)
            raise LabError(f"The image of '{role}' boots, but is not right:{lines}")
        return Passed(round(guest.boot_seconds, 1), str(accelerator), hardware)


def ask(guest: Guest, role: Role, *, patience: float) -> list[str]:
    """What is wrong with a machine that has booted, in sentences."""
    script = ASK.replace("UNITS", " ".join(UNITS[role]))
    said = guest.run(script, timeout=60 * patience, check=False).output
    return judge(said.splitlines(), role=role, name=guest.name)


def judge(lines: Sequence[str], *, role: Role, name: str) -> list[str]:
    """The same from what the machine's answers say, a word and values on each line."""
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
    for unit in UNITS[role]:
        match units.get(unit, []):
            case ["loaded", "inactive", "disabled" | "static" | "indirect"]:
                continue
            case ["loaded", *state]:
                problems.append(f"unit '{unit}' is {' and '.join(state)}: nothing may start it yet")
            case _:
                problems.append(f"there is no unit '{unit}'")
    return problems
