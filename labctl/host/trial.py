"""Names and networks of what is made for a trial and removed again at once."""

from __future__ import annotations

import os
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.host.network import NetworkTakenError, check_network

PREFIX = "labctl_doctor_"
"""No lab's name has an underscore, so nothing of a lab is called so."""

NETWORKS = tuple(IPv4Network(f"10.157.{third}.0/29") for third in range(255, 239, -1))
"""Small ones that no lab takes by itself."""

NODE_OFFSET = 2


def trial_name() -> str:
    """The name of what this process makes."""
    return f"{PREFIX}{os.getpid()}"


def trial_bridge(name: str) -> str:
    """The bridge of a trial's network; it begins like those of labs."""
    return f"lab-d{name.removeprefix(PREFIX)}"


def is_stale(name: str) -> bool:
    """Whether a trial's process has ended and left it."""
    return name.startswith(PREFIX) and not Path(f"/proc/{name.removeprefix(PREFIX)}").exists()


def spare_network() -> IPv4Network:
    """A network that nothing on this machine uses.  Errors: LabError if all are taken."""
    for network in NETWORKS:
        with suppress(NetworkTakenError):
            check_network(network, offsets=(NODE_OFFSET,))
            return network
    raise LabError(
        "No network for a trial is free on this machine.",
        hint="See 'ip route' for what has all of 10.157.240.0/20.",
        finding=Finding.NETWORK_REFUSED,
    )
