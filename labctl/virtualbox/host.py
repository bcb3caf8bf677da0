"""Whether this machine can run VirtualBox: installed, known to Vagrant, its driver loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from labctl.checks import Check, Status
from labctl.errors import LabError
from labctl.privilege import find_program
from labctl.process import run
from labctl.virtualbox.manage import COMMAND, vboxmanage
from labctl.virtualbox.messages import INSTALL_HINT, NO_DRIVER, NOT_INSTALLED, Cause

DRIVER = Path("/dev/vboxdrv")

OLDEST = (7, 0)
"""Older ones have other words for what the Vagrantfile sets (`--audio-enabled`)."""

NEEDS: Mapping[tuple[int, int], tuple[int, int, int]] = {
    (7, 0): (2, 3, 2),
    (7, 1): (2, 4, 2),
    (7, 2): (2, 4, 9),
}
"""The first Vagrant that takes a VirtualBox (its changelog); an older one refuses it."""


def find_problem() -> str | None:
    """Why this machine cannot run labs with VirtualBox, None when it can, as far as one sees.

    Whether the processor's virtualisation is free shows only when a machine is started.
    """
    cause = look()
    return cause.message if cause else None


def check_virtualbox() -> list[Check]:
    """What doctor says of VirtualBox."""
    name = "virtualbox"
    if cause := look():
        return [Check(name, Status.FAIL, cause.message, cause.hint)]
    version = parse_version(vboxmanage("--version"))
    return [Check(name, Status.OK, _dotted(version) if version else "")]


def look() -> Cause | None:
    """What stands against VirtualBox on this machine."""
    if find_program(COMMAND) is None:
        return Cause(NOT_INSTALLED, INSTALL_HINT)
    try:
        version = parse_version(vboxmanage("--version"))
        # Not installed yet is not too old: labctl installs it.
        said = run(["vagrant", "--version"], timeout=60).output if find_program("vagrant") else ""
    except LabError as error:
        return Cause(error.message, error.hint or INSTALL_HINT)
    if version is None:
        return Cause("'VBoxManage --version' names no version.", INSTALL_HINT)
    return judge(version, vagrant=parse_version(said), driver=DRIVER.is_char_device())


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The version in `7.2.22_Debianr175245` or `Vagrant 2.3.4`, after whatever warnings."""
    found = re.findall(r"(?m)^(?:Vagrant )?(\d+)\.(\d+)\.(\d+)\S*$", text)
    return (int(found[-1][0]), int(found[-1][1]), int(found[-1][2])) if found else None


def judge(
    version: tuple[int, int, int], *, vagrant: tuple[int, int, int] | None, driver: bool
) -> Cause | None:
    """What is wrong with a VirtualBox, a Vagrant and a kernel together."""
    ours = f"VirtualBox {_dotted(version)}"
    if version[:2] < OLDEST:
        return Cause(f"{ours} is too old.", INSTALL_HINT)
    need = NEEDS.get(version[:2])
    if need is not None and vagrant is not None and vagrant < need:
        fitting = max(kind for kind, least in NEEDS.items() if least <= max(vagrant, NEEDS[OLDEST]))
        return Cause(
            f"Vagrant {_dotted(vagrant)} does not know {ours}.",
            f"Install Vagrant {_dotted(need)} or newer, or VirtualBox {_dotted(fitting)}.",
        )
    return None if driver else NO_DRIVER


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
