"""Whether this machine can run VirtualBox: installed, known to Vagrant, its driver loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from labctl.core.checks import Check, CheckStatus, refused
from labctl.core.errors import LabError
from labctl.core.findings import PAGE, Finding
from labctl.core.privilege import find_program
from labctl.core.process import run
from labctl.core.progress import Progress
from labctl.core.state import StateError
from labctl.providers.virtualbox.claims import read_claims
from labctl.providers.virtualbox.manage import COMMAND, vboxmanage
from labctl.providers.virtualbox.messages import INSTALL_HINT, NO_DRIVER, NOT_INSTALLED, Cause

DRIVER = Path("/dev/vboxdrv")

OLDEST = (7, 0)
"""Older versions have other names for options that the Vagrantfile sets (`--audio-enabled`)."""

NEEDS: Mapping[tuple[int, int], tuple[int, int, int]] = {
    (7, 0): (2, 3, 2),
    (7, 1): (2, 4, 2),
    (7, 2): (2, 4, 9),
}
"""VirtualBox -> the first Vagrant that supports it, from its changelog; older ones refuse it."""


def find_problem() -> str | None:
    """Why this machine cannot run labs with VirtualBox; None if it probably can.

    Only starting a machine shows whether the processor's virtualisation is available.
    """
    cause = current_problem()
    return cause.message if cause else None


def check_virtualbox() -> list[Check]:
    """The checks of `labctl doctor` for VirtualBox."""
    name = "virtualbox"
    if cause := current_problem():
        hint = cause.hint or f"See {PAGE}."
        finding = Finding.VIRTUALBOX_UNUSABLE
        return [Check(name, CheckStatus.FAIL, cause.message, hint, finding)]
    version = parse_version(vboxmanage("--version"))
    return [Check(name, CheckStatus.OK, _dotted(version) if version else ""), *check_claims()]


def prove_nothing(progress: Progress) -> list[Check]:
    """VirtualBox's machines boot a whole Debian, so none is started only to see whether it does."""
    found = "not proven: starting a machine of VirtualBox takes too long"
    hint = "'labctl up --small --jvbs 0' is the quickest proof."
    return [Check("proof, machine", CheckStatus.WARN, found, hint, Finding.PROOF_OPEN)]


def check_claims() -> list[Check]:
    """A warning if the list of claims cannot be read; else nothing."""
    try:
        read_claims()
    except StateError as error:
        found = refused("virtualbox networks", error, otherwise=Finding.VIRTUALBOX_CLAIMS)
        return [replace(found, status=CheckStatus.WARN)]
    return []


def current_problem() -> Cause | None:
    """Why VirtualBox cannot be used on this machine; None if it can."""
    if find_program(COMMAND) is None:
        return Cause(NOT_INSTALLED, INSTALL_HINT)
    try:
        version = parse_version(vboxmanage("--version"))
        # A missing Vagrant is not too old: labctl installs it.
        said = run(["vagrant", "--version"], timeout=60).output if find_program("vagrant") else ""
    except LabError as error:
        return Cause(error.message, error.hint or INSTALL_HINT)
    if version is None:
        return Cause("'VBoxManage --version' printed no version.", INSTALL_HINT)
    return compatibility_problem(
        version, vagrant=parse_version(said), driver=DRIVER.is_char_device()
    )


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The version in `7.2.22_Debianr175245` or `Vagrant 2.3.4`; warnings before it are ignored."""
    found = re.findall(r"(?m)^(?:Vagrant )?(\d+)\.(\d+)\.(\d+)\S*$", text)
    return (int(found[-1][0]), int(found[-1][1]), int(found[-1][2])) if found else None


def compatibility_problem(
    version: tuple[int, int, int], *, vagrant: tuple[int, int, int] | None, driver: bool
) -> Cause | None:
    """Why this VirtualBox, Vagrant and kernel do not work together; None if they do."""
    ours = f"VirtualBox {_dotted(version)}"
    if version[:2] < OLDEST:
        return Cause(f"{ours} is too old.", INSTALL_HINT)
    need = NEEDS.get(version[:2])
    if need is not None and vagrant is not None and vagrant < need:
        fitting = max(kind for kind, least in NEEDS.items() if least <= max(vagrant, NEEDS[OLDEST]))
        return Cause(
            f"Vagrant {_dotted(vagrant)} does not support {ours}.",
            f"Install Vagrant {_dotted(need)} or newer, or VirtualBox {_dotted(fitting)}.",
        )
    return None if driver else NO_DRIVER


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
