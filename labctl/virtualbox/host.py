"""Whether this machine can run VirtualBox: installed, known to Vagrant, its driver loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from labctl.errors import LabError
from labctl.process import run
from labctl.virtualbox.manage import vboxmanage
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


def find_problem() -> Cause | None:
    """Why VirtualBox cannot run labs here, and what to do; None when it can, as far as one sees.

    Whether the processor's virtualisation is free shows only when a machine is started.
    """
    try:
        version = parse_version(vboxmanage("--version"))
    except LabError as error:
        return Cause(error.message, error.hint or INSTALL_HINT)
    if version is None:
        return Cause(NOT_INSTALLED, INSTALL_HINT)
    vagrant = parse_version(run(["vagrant", "--version"], timeout=60).output)
    return judge(version, vagrant=vagrant, driver=DRIVER.is_char_device())


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
